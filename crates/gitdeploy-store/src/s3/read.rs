//! Reading objects from S3, as a stream that is never quietly short.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use gitdeploy_core::Key;

use super::S3;
use super::client::STALL;
use super::failure::sentence;
use crate::error::StoreError;
use crate::object::{ByteRange, ETag, Get, Meta, Object, ObjectBody};

impl S3 {
    pub(crate) async fn get(&self, key: &Key, get: Get) -> Result<Object, StoreError> {
        let range = get.range.map(header).transpose()?;
        let ranged = range.is_some();
        let output = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .set_range(range)
            .set_if_match(get.if_match.clone().map(|ETag(text)| text))
            .set_if_none_match(get.if_none_match.clone().map(|ETag(text)| text))
            .send()
            .await
            .map_err(|error| self.doing("read", key.as_str()).failed(&error))?;
        let whole = if ranged { whole_size(&output) } else { size(output.content_length) };
        let (Some(expected), Some(meta)) =
            (size(output.content_length), meta(whole, output.e_tag, output.content_type))
        else {
            return Err(self.doing("read", key.as_str()).incomplete());
        };
        // Not every store keeps conditions.
        get.check(key, &meta)?;
        Ok(Object { meta, body: ObjectBody::Stream(pieces(output.body, expected, key.clone())) })
    }
}

/// What the store says of an object, if it says all of it.
pub(super) fn meta(bytes: Option<u64>, etag: Option<String>, content_type: Option<String>) -> Option<Meta> {
    Some(Meta { bytes: bytes?, etag: self::etag(&etag?), content_type })
}

/// The name of a content as one spelling of it: a store, or a proxy before it, may leave out the quotes or call
/// the name weak in one answer and not in the next.
pub(super) fn etag(text: &str) -> ETag {
    let strong = text.strip_prefix("W/").unwrap_or(text);
    if strong.len() >= 2 && strong.starts_with('"') && strong.ends_with('"') {
        return ETag(strong.to_owned());
    }
    ETag(format!("\"{}\"", strong.trim_matches('"')))
}

pub(super) fn size(length: Option<i64>) -> Option<u64> {
    length.and_then(|length| u64::try_from(length).ok())
}

/// From `bytes 0-9/2500`. Without it the store has ignored the range and sends something else.
fn whole_size(output: &GetObjectOutput) -> Option<u64> {
    output.content_range.as_deref()?.rsplit_once('/')?.1.parse().ok()
}

/// S3 takes a range that ends before it starts for none and answers with the whole object. Servers count
/// in signed numbers.
fn header(range: ByteRange) -> Result<String, StoreError> {
    let limit = i64::MAX.unsigned_abs();
    if range.end < range.start || range.start > limit {
        return Err(StoreError::RangeNotSatisfiable);
    }
    Ok(format!("bytes={}-{}", range.start, range.end.min(limit)))
}

fn pieces(body: ByteStream, expected: u64, key: Key) -> BoxStream<'static, Result<Bytes, StoreError>> {
    stream::try_unfold((body, 0), move |(body, received)| piece(body, received, expected))
        .map_err(move |reason| StoreError::unavailable(format!("cannot read all of `{key}`"), reason))
        .boxed()
}

/// The next piece, and what comes after it; or what is wrong with the body.
async fn piece(
    mut body: ByteStream,
    received: u64,
    expected: u64,
) -> Result<Option<(Bytes, (ByteStream, u64))>, String> {
    let next = match tokio::time::timeout(STALL, body.next()).await {
        Ok(next) => next.transpose().map_err(|error| sentence(&error))?,
        Err(_) => return Err(format!("nothing came for {} s", STALL.as_secs())),
    };
    let received = received + next.as_ref().map_or(0, |bytes| bytes.len() as u64);
    if received > expected || (next.is_none() && received < expected) {
        return Err(format!("{expected} bytes were announced, but {received} came"));
    }
    Ok(next.map(|bytes| (bytes, (body, received))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for text in ["\"ab-2\"", "ab-2", "W/\"ab-2\"", "W/ab-2", "\"ab-2"] {
            assert_eq!(etag(text), ETag("\"ab-2\"".to_owned()), "{text}");
        }
        assert_eq!(etag("\""), ETag("\"\"".to_owned()));
    }
}
