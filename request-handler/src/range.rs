//! The `Range` header: which bytes of a file are wanted.
//!
//! Read by hand: `http-range-header` refuses a suffix that is longer than the file, which RFC 9110 §14.1.2
//! calls the whole file, and does not tell a range that is malformed from one that cannot be satisfied.

use bytes::Bytes;
use gitdeploy_store::ByteRange;
use http::{HeaderMap, HeaderValue, header};

use crate::validators::EntityTag;

/// How many parts are sent at once: more are asked for by nobody who reads a file in turn.
const MOST: usize = 8;

/// The largest file of which parts are sent, in bytes: none is larger, whatever a damaged manifest says, and the length of
/// several parts with their heads is a number still.
const LARGEST: u64 = i64::MAX as u64;

/// What a request wants of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it.
    Whole,
    /// These bytes, which are in it.
    Part(ByteRange),
    /// Several parts that do not overlap, in the order in which they are asked for.
    Parts(Vec<ByteRange>),
    /// Bytes that it does not have.
    Unsatisfiable,
}

/// One of several parts, with what stands before it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) head: Bytes,
    pub(crate) range: ByteRange,
}

/// What the headers want of a file of `bytes` bytes.
pub(crate) fn select(headers: &HeaderMap, tag: &EntityTag, bytes: u64) -> Selection {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Selection::Whole };
    // RFC 9110 §13.1.5: the range counts only if the file is still the one of which a part is already there.
    if headers.get(header::IF_RANGE).is_some_and(|value| !tag.is_exactly(value)) {
        return Selection::Whole;
    }
    range.to_str().map_or(Selection::Whole, |range| parse(range, bytes))
}

/// How many bytes a part has.
pub(crate) fn length(range: ByteRange) -> u64 {
    range.end - range.start + 1
}

/// The value of `Content-Range` for a part of a file of `bytes` bytes.
pub(crate) fn content_range(part: ByteRange, bytes: u64) -> HeaderValue {
    header_value(&format!("bytes {}-{}/{bytes}", part.start, part.end))
}

/// The value of `Content-Range` that tells the size to those who want what a file does not have.
pub(crate) fn unsatisfied(bytes: u64) -> HeaderValue {
    header_value(&format!("bytes */{bytes}"))
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits and marks are visible ASCII")
}

/// A malformed set, any range of an empty file, and sets that cost more than the file are passed over, as RFC 9110
/// §14.2 permits. Of a good set, what the file does not have is left out (§14.1.1).
fn parse(set: &str, bytes: u64) -> Selection {
    let Some((unit, set)) = set.split_once('=') else { return Selection::Whole };
    if !unit.eq_ignore_ascii_case("bytes") || bytes == 0 || bytes > LARGEST {
        return Selection::Whole;
    }
    let listed = set.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty());
    let mut parts = Vec::new();
    for (count, part) in listed.enumerate() {
        match one(part, bytes) {
            Some(Ok(range)) if count < MOST => parts.push(range),
            Some(Err(Unsatisfiable)) if count < MOST => {}
            _ => return Selection::Whole,
        }
    }
    match parts[..] {
        [] if set.trim_matches([' ', '\t', ',']).is_empty() => Selection::Whole,
        [] => Selection::Unsatisfiable,
        [part] => Selection::Part(part),
        _ if overlap(&parts) => Selection::Whole,
        _ => Selection::Parts(parts),
    }
}

struct Unsatisfiable;

/// One range, cut to the file; `None` if it is malformed.
fn one(part: &str, bytes: u64) -> Option<Result<ByteRange, Unsatisfiable>> {
    let (first, last) = part.split_once('-')?;
    let range = match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => return Some(Err(Unsatisfiable)),
        (None, Some(suffix)) if first.is_empty() => {
            ByteRange { start: bytes.saturating_sub(suffix), end: bytes - 1 }
        }
        (Some(start), None) if last.is_empty() => ByteRange { start, end: bytes - 1 },
        (Some(start), Some(end)) if start <= end => ByteRange { start, end: end.min(bytes - 1) },
        _ => return None,
    };
    Some(if range.start < bytes { Ok(range) } else { Err(Unsatisfiable) })
}

/// Whether a byte is in two parts. If not, they are no more than the file together.
fn overlap(parts: &[ByteRange]) -> bool {
    let mut parts = parts.to_vec();
    parts.sort_unstable_by_key(|part| part.start);
    parts.windows(2).any(|pair| pair[0].end >= pair[1].start)
}

/// A number of digits only; one that is too large for us is larger than any file.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(start: u64, end: u64) -> Selection {
        Selection::Part(ByteRange { start, end })
    }

    #[test]
    fn no_parts_are_sent_of_a_file_that_cannot_be() {
        let halves = "bytes=0-4,5-";
        assert!(matches!(parse(halves, LARGEST), Selection::Parts(_)));
        assert_eq!(parse(halves, LARGEST + 1), Selection::Whole);
    }

    #[test]
    fn one_range_is_read() {
        for (range, expected) in [
            ("bytes=0-", part(0, 9)),
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-5", part(2, 5)),
            ("bytes=5-100", part(5, 9)),
            ("bytes=9-99999999999999999999999", part(9, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-100", part(0, 9)),
            ("Bytes= 2-5 ,", part(2, 5)),
            ("bytes=10-", Selection::Unsatisfiable),
            ("bytes=99999999999999999999999-", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=5-2", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("bytes=a-b", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("bytes=--1", Selection::Whole),
            ("bytes=", Selection::Whole),
            ("bytes", Selection::Whole),
            ("lines=1-2", Selection::Whole),
        ] {
            assert_eq!(parse(range, 10), expected, "{range}");
        }
        assert_eq!(parse("bytes=0-", 0), Selection::Whole);
    }

    #[test]
    fn several_ranges_are_read() {
        let parts = |parts: &[(u64, u64)]| {
            Selection::Parts(parts.iter().map(|&(start, end)| ByteRange { start, end }).collect())
        };
        for (range, expected) in [
            ("bytes=0-1,4-5", parts(&[(0, 1), (4, 5)])),
            ("bytes= -2 ,\t0-0", parts(&[(8, 9), (0, 0)])),
            ("bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7", parts(&(0..8).map(|at| (at, at)).collect::<Vec<_>>())),
            ("bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", Selection::Whole),
            ("bytes=0-4,4-5", Selection::Whole),
            ("bytes=0-,-1", Selection::Whole),
            ("bytes=0-1,x", Selection::Whole),
            ("bytes=0-1,20-", part(0, 1)),
            ("bytes=20-,30-", Selection::Unsatisfiable),
            ("bytes=,", Selection::Whole),
        ] {
            assert_eq!(parse(range, 10), expected, "{range}");
        }
    }

    #[test]
    fn if_range_wants_the_very_same_file() {
        let tag = EntityTag::new("\"a\"").unwrap();
        let ask = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
            headers.insert(header::IF_RANGE, HeaderValue::from_static(value));
            select(&headers, &tag, 10)
        };
        assert_eq!(ask("\"a\""), part(0, 0));
        for other in ["\"b\"", "W/\"a\"", "Sun, 06 Nov 1994 08:49:37 GMT", "*"] {
            assert_eq!(ask(other), Selection::Whole, "{other}");
        }
    }

    proptest! {
        #[test]
        fn parts_lie_within_the_file_and_are_not_more_than_it(
            range in "bytes=([0-9]{0,3}-[0-9]{0,3},?){1,10}",
            bytes in 0_u64..200,
        ) {
            let parts = match parse(&range, bytes) {
                Selection::Part(part) => vec![part],
                Selection::Parts(parts) => parts,
                Selection::Whole | Selection::Unsatisfiable => return Ok(()),
            };
            prop_assert!(parts.iter().all(|part| part.start <= part.end && part.end < bytes));
            prop_assert!(parts.iter().map(|part| length(*part)).sum::<u64>() <= bytes);
        }
    }
}
