//! Objects and what is asked of them.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use gitdeploy_core::Key;

use crate::error::StoreError;
use crate::pace::Pace;

/// The store's own name for the content of an object, with its quotes: for `If-Match`, never for visitors.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(pub String);

/// What is asked of an object.
#[derive(Debug, Clone, Default)]
pub struct Get {
    /// Only these bytes.
    pub range: Option<ByteRange>,
    /// Only if this is still its content; else [`StoreError::Changed`].
    pub if_match: Option<ETag>,
    /// Only if this is no longer its content; else [`StoreError::NotModified`].
    pub if_none_match: Option<ETag>,
}

/// Bytes `start..=end` of an object, counted from 0. An `end` past the last byte means the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// The last byte.
    pub end: u64,
}

/// How an object is written.
#[derive(Debug, Clone, Default)]
pub struct Put {
    /// What must hold for the write to happen.
    pub precondition: Precondition,
    /// The media type, for stores that hand out objects themselves.
    pub content_type: Option<String>,
    /// The pace that it keeps with other writes. Without one, a request that fails is repeated twice, at once.
    pub pace: Option<Pace>,
}

/// How an object is copied.
#[derive(Debug, Clone, Default)]
pub struct Copy {
    /// The media type of the copy.
    pub content_type: Option<String>,
    /// As for [`Put::pace`].
    pub pace: Option<Pace>,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the last writer wins.
    #[default]
    None,
    /// There is no such object; else [`StoreError::Changed`].
    Absent,
    /// The object still has this content; else [`StoreError::Changed`].
    Matches(ETag),
}

/// What is written.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file, which is read while it is written and must not change meanwhile.
    File(PathBuf),
}

/// What a store knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The size of the whole object, in bytes.
    pub bytes: u64,
    /// The name of its content.
    pub etag: ETag,
    /// The media type it was written with, if the store keeps it.
    pub content_type: Option<String>,
}

/// An object that was asked for.
#[derive(Debug)]
pub struct Object {
    /// What the store knows of it.
    pub meta: Meta,
    /// The bytes that were asked for.
    pub body: ObjectBody,
}

/// The bytes of an object, at once or as they come.
pub enum ObjectBody {
    /// All of them.
    Bytes(Bytes),
    /// Piece by piece. A body that ends early is an error of the stream, never a short success.
    Stream(BoxStream<'static, Result<Bytes, StoreError>>),
}

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The keys and sizes, in the order of the keys' bytes. Keys that
    /// [`Key`] cannot express are left out.
    pub objects: Vec<(Key, u64)>,
    /// What to ask for the next part with; absent: this was the last.
    pub next: Option<String>,
}

impl Get {
    /// The first byte that is asked for and the one after the last, if all conditions hold for an object.
    pub(crate) fn select(&self, key: &Key, meta: &Meta) -> Result<(u64, u64), StoreError> {
        self.check(key, meta)?;
        self.range.map_or(Ok((0, meta.bytes)), |range| range.within(meta.bytes))
    }

    /// Whether all conditions hold for an object.
    pub(crate) fn check(&self, key: &Key, meta: &Meta) -> Result<(), StoreError> {
        if self.if_match.as_ref().is_some_and(|etag| *etag != meta.etag) {
            return Err(StoreError::Changed(key.to_string()));
        }
        if self.if_none_match.as_ref() == Some(&meta.etag) {
            return Err(StoreError::NotModified);
        }
        Ok(())
    }
}

impl ByteRange {
    /// The first byte and the one after the last, within an object of `bytes` bytes.
    fn within(self, bytes: u64) -> Result<(u64, u64), StoreError> {
        if self.start >= bytes || self.end < self.start {
            return Err(StoreError::RangeNotSatisfiable);
        }
        Ok((self.start, bytes.min(self.end.saturating_add(1))))
    }
}

impl Object {
    /// The whole body, of at most `limit` bytes.
    pub async fn read(self, limit: u64) -> Result<(Meta, Bytes), StoreError> {
        let bytes = self.body.read(limit).await?;
        Ok((self.meta, bytes))
    }
}

impl ObjectBody {
    /// All bytes, of which there may be at most `limit`.
    pub async fn read(self, limit: u64) -> Result<Bytes, StoreError> {
        let mut stream = match self {
            Self::Bytes(bytes) if bytes.len() as u64 > limit => return Err(StoreError::TooLarge { limit }),
            Self::Bytes(bytes) => return Ok(bytes),
            Self::Stream(stream) => stream,
        };
        let mut whole = Vec::new();
        while let Some(piece) = stream.next().await {
            whole.extend_from_slice(&piece?);
            if whole.len() as u64 > limit {
                return Err(StoreError::TooLarge { limit });
            }
        }
        Ok(whole.into())
    }
}

impl std::fmt::Debug for ObjectBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Stream(_) => formatter.write_str("Stream"),
        }
    }
}
