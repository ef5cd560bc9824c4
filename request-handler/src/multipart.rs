//! Several parts of a file in one body: `multipart/byteranges` (RFC 9110 §14.6).

use bytes::Bytes;
use gitdeploy_store::ByteRange;
use http::HeaderValue;

use crate::file::File;
use crate::range::{self, Part};
use crate::validators::EntityTag;

/// Several parts of a file.
#[derive(Debug)]
pub(crate) struct Multipart {
    /// The value of `Content-Type`.
    pub(crate) content_type: HeaderValue,
    pub(crate) parts: Vec<Part>,
    /// What stands after the last part.
    pub(crate) tail: Bytes,
    /// The size of all of it.
    pub(crate) bytes: u64,
}

impl Multipart {
    /// Frames parts of `file`.
    pub(crate) fn new(file: &File, ranges: Vec<ByteRange>) -> Self {
        // A file does not contain its own hash, nor what the store makes of it.
        let tag = file.tag.as_ref().map(EntityTag::header);
        let tag = tag.as_ref().and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let hash: String = tag.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let boundary = format!("part-of-{hash}");
        let parts = ranges.into_iter().map(|range| {
            let content_range = range::content_range(range, file.stored.bytes);
            let mut head = format!("\r\n--{boundary}\r\nContent-Type: ").into_bytes();
            head.extend(file.content_type.as_bytes());
            head.extend(b"\r\nContent-Range: ");
            head.extend(content_range.as_bytes());
            head.extend(b"\r\n\r\n");
            Part { head: head.into(), range }
        });
        let parts: Vec<_> = parts.collect();
        let tail = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        let framed = |part: &Part| part.head.len() as u64 + range::length(part.range);
        let bytes = parts.iter().map(framed).sum::<u64>() + tail.len() as u64;
        let content_type = HeaderValue::from_str(&format!("multipart/byteranges; boundary={boundary}"));
        Self {
            content_type: content_type.expect("letters, digits and marks are visible"),
            parts,
            tail,
            bytes,
        }
    }
}
