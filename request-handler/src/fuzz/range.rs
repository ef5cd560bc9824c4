//! Ranges: whatever is asked for, what is sent lies in the file, and is as long as is said.

use gitdeploy_store::{ByteRange, ETag, Meta};
use http::HeaderMap;
use http::header::{IF_RANGE, RANGE};

use super::script;
use crate::file::File;
use crate::multipart::Multipart;
use crate::range::{self, Selection};

/// How many parts are sent at most.
const MOST_PARTS: usize = 8;

/// The largest head of a part, in bytes.
const LARGEST_HEAD: usize = 300;

/// The size of a file, then the head of a request.
pub fn range(input: &[u8]) {
    let [size, head] = script::sections(input);
    let Some(bytes) = std::str::from_utf8(size).ok().and_then(|size| size.trim().parse().ok()) else {
        return;
    };
    let Some(request) = script::request(head) else { return };
    let file = file(bytes);
    let Some(tag) = &file.tag else { return };
    match range::select(&request.headers, tag, bytes) {
        Selection::Whole => {}
        Selection::Unsatisfiable => assert!(was_asked(&request.headers, bytes)),
        Selection::Part(part) => {
            assert!(was_asked(&request.headers, bytes));
            is_inside(part, bytes);
        }
        Selection::Parts(parts) => {
            assert!(was_asked(&request.headers, bytes) && (2..=MOST_PARTS).contains(&parts.len()));
            for part in &parts {
                is_inside(*part, bytes);
            }
            do_not_meet(&parts);
            is_as_long_as_it_says(&file, parts);
        }
    }
}

fn file(bytes: u64) -> File {
    let meta = Meta { bytes, etag: ETag("\"1-a\"".to_owned()), content_type: None };
    File::of_store(&script::id(), &"a/b.bin".parse().expect("it is a path"), meta)
}

/// Whether there is one `Range`, and, with `If-Range`, of the file as it is now.
fn was_asked(headers: &HeaderMap, bytes: u64) -> bool {
    let is_current = headers.get(IF_RANGE).is_none_or(|tag| tag == "\"1-a\"");
    headers.get_all(RANGE).iter().count() == 1 && is_current && bytes > 0
}

fn is_inside(part: ByteRange, bytes: u64) {
    assert!(part.start <= part.end && part.end < bytes, "{part:?} of {bytes}");
    assert!((1..=bytes).contains(&range::length(part)), "{part:?} of {bytes}");
    let told = range::content_range(part, bytes);
    assert_eq!(told, format!("bytes {}-{}/{bytes}", part.start, part.end));
}

/// No byte is sent twice: parts cost less than the file.
fn do_not_meet(parts: &[ByteRange]) {
    for (index, part) in parts.iter().enumerate() {
        let met = parts[..index].iter().find(|other| part.start <= other.end && other.start <= part.end);
        assert_eq!(met, None, "{part:?} is a part of it");
    }
}

fn is_as_long_as_it_says(file: &File, ranges: Vec<ByteRange>) {
    let sent: u128 = ranges.iter().map(|part| u128::from(range::length(*part))).sum();
    let multipart = Multipart::new(file, ranges);
    let boundary = multipart.content_type.to_str().expect("it is ASCII").rsplit_once("boundary=");
    let boundary = format!("--{}", boundary.expect("it has a boundary").1);
    let mut framed = multipart.tail.len();
    for part in &multipart.parts {
        let head = std::str::from_utf8(&part.head).expect("a head is text");
        assert!(head.starts_with(&format!("\r\n{boundary}\r\n")) && head.ends_with("\r\n\r\n"), "{head:?}");
        assert!(head.len() <= LARGEST_HEAD, "{head:?}");
        framed += head.len();
    }
    assert_eq!(multipart.tail, format!("\r\n{boundary}--\r\n"));
    assert_eq!(u128::from(multipart.bytes), sent + framed as u128, "the length that is told");
}
