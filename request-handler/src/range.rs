//! The `Range` header: which bytes of a file are wanted.
//!
//! Read by hand: `http-range-header` refuses a suffix that is longer than the file, which RFC 9110 §14.1.2
//! calls the whole file, and does not tell a range that is malformed from one that cannot be satisfied.

use gitdeploy_store::ByteRange;
use http::{HeaderMap, header};

use crate::validators::EntityTag;

/// What a request wants of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it.
    Whole,
    /// These bytes, which are in it.
    Part(ByteRange),
    /// Bytes that it does not have.
    Unsatisfiable,
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

/// A malformed range, several, and any range of an empty file are passed over, as RFC 9110 §14.2 permits.
fn parse(range: &str, bytes: u64) -> Selection {
    let Some((unit, set)) = range.split_once('=') else { return Selection::Whole };
    let mut wanted =
        set.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty());
    let (Some(part), None) = (wanted.next(), wanted.next()) else { return Selection::Whole };
    let Some((first, last)) = part.split_once('-') else { return Selection::Whole };
    if !unit.eq_ignore_ascii_case("bytes") || bytes == 0 {
        return Selection::Whole;
    }
    let range = match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 {
                return Selection::Unsatisfiable;
            }
            ByteRange { start: bytes.saturating_sub(suffix), end: bytes - 1 }
        }
        (Some(start), None) if last.is_empty() => ByteRange { start, end: bytes - 1 },
        (Some(start), Some(end)) if start <= end => ByteRange { start, end: end.min(bytes - 1) },
        _ => return Selection::Whole,
    };
    if range.start < bytes { Selection::Part(range) } else { Selection::Unsatisfiable }
}

/// A number of digits only; one that is too large for us is larger than any file.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn part(start: u64, end: u64) -> Selection {
        Selection::Part(ByteRange { start, end })
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
            ("bytes=0-1,4-5", Selection::Whole),
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
        fn a_part_lies_within_the_file(range in "bytes=[0-9]{0,3}-[0-9]{0,3}", bytes in 0_u64..200) {
            if let Selection::Part(range) = parse(&range, bytes) {
                prop_assert!(range.start <= range.end && range.end < bytes);
            }
        }
    }
}
