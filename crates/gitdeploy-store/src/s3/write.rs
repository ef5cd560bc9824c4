//! Writing objects to S3, conditionally where asked, and knowing our own writes again.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use gitdeploy_core::Key;

use super::S3;
use super::client::{Repeats, upload};
use super::multipart;
use super::read::etag;
use crate::error::StoreError;
use crate::object::{Content, ETag, Precondition, Put};
use crate::pace::Pace;

/// The name of the metadata that tells our own write from somebody else's.
const WRITE_ID: &str = "gitdeploy-write";

/// A write on its way.
#[derive(Debug, Clone)]
pub(super) struct Write<'a> {
    pub(super) key: &'a Key,
    pub(super) content_type: Option<String>,
    pub(super) if_match: Option<String>,
    pub(super) if_none_match: Option<String>,
    pub(super) id: Option<String>,
    pace: Option<Pace>,
}

impl S3 {
    pub(crate) async fn put(&self, key: &Key, content: Content, put: Put) -> Result<ETag, StoreError> {
        match &self.single_writer {
            Some(writer) if put.precondition != Precondition::None => {
                writer.put(self, key, content, put).await
            }
            _ => self.put_as_asked(key, content, put).await,
        }
    }

    /// The SDK repeats a request whose answer was lost. If the first one was carried out, the repeat of a
    /// conditional write meets our own object, which is then a success and no conflict.
    pub(super) async fn put_as_asked(
        &self,
        key: &Key,
        content: Content,
        put: Put,
    ) -> Result<ETag, StoreError> {
        let bytes = content.bytes().await?;
        let multipart = bytes > multipart::ABOVE;
        let write = Write::new(key, put, multipart);
        let written = match &content {
            content if multipart => self.put_parts(&write, content, bytes).await,
            content => write.request(|| self.put_whole(&write, content, bytes)).await,
        };
        match (written, &write.id) {
            (Err(StoreError::Changed(key)), Some(id)) => {
                self.own(write.key, id).await?.ok_or(StoreError::Changed(key))
            }
            (written, _) => written,
        }
    }

    async fn put_whole(&self, write: &Write<'_>, content: &Content, bytes: u64) -> Result<ETag, StoreError> {
        let output = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(write.key))
            .set_content_type(write.content_type.clone())
            .set_if_match(write.if_match.clone())
            .set_if_none_match(write.if_none_match.clone())
            .set_metadata(write.metadata())
            .body(content.part(0, bytes).await?)
            .customize()
            .config_override(upload(bytes, write.repeats()))
            .send()
            .await
            .map_err(|error| write.refused(self.doing("write", write.key.as_str()).failed(&error)))?;
        output.e_tag.as_deref().map(etag).ok_or_else(|| self.doing("write", write.key.as_str()).incomplete())
    }

    /// The name of what is at `key`, if it is our write `id`. Who may only write cannot know.
    async fn own(&self, key: &Key, id: &str) -> Result<Option<ETag>, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(self.key(key)).send().await;
        let head = match head.map_err(|error| self.doing("look at", key.as_str()).failed(&error)) {
            Ok(head) => head,
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => return Ok(None),
        };
        let own =
            head.metadata.as_ref().and_then(|metadata| metadata.get(WRITE_ID)).is_some_and(|own| own == id);
        Ok(head.e_tag.filter(|_| own).as_deref().map(etag))
    }
}

impl<'a> Write<'a> {
    pub(super) fn new(key: &'a Key, put: Put, multipart: bool) -> Self {
        let (if_match, if_none_match) = match put.precondition {
            Precondition::None => (None, None),
            Precondition::Absent => (None, Some("*".to_owned())),
            Precondition::Matches(ETag(etag)) => (Some(etag), None),
        };
        let may_conflict = multipart || if_match.is_some() || if_none_match.is_some();
        // Without randomness we could not tell our write, and only that.
        let id = may_conflict.then(getrandom::u64).and_then(Result::ok).map(|id| format!("{id:016x}"));
        Self { key, content_type: put.content_type, if_match, if_none_match, id, pace: put.pace }
    }

    /// Sends one of its requests, at its pace.
    pub(super) async fn request<T, R>(&self, mut request: impl FnMut() -> R) -> Result<T, StoreError>
    where
        R: Future<Output = Result<T, StoreError>>,
    {
        match &self.pace {
            Some(pace) => pace.run(request).await,
            None => request().await,
        }
    }

    /// Who repeats its requests.
    pub(super) fn repeats(&self) -> Repeats {
        if self.pace.is_some() { Repeats::Pace } else { Repeats::Sdk }
    }

    pub(super) fn metadata(&self) -> Option<std::collections::HashMap<String, String>> {
        self.id.clone().map(|id| [(WRITE_ID.to_owned(), id)].into())
    }

    /// S3 says of an object that must match and is not there that it was not found.
    pub(super) fn refused(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::NotFound(key) if self.if_match.is_some() => StoreError::Changed(key),
            error => error,
        }
    }
}

impl Content {
    async fn bytes(&self) -> Result<u64, StoreError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => match tokio::fs::metadata(path).await {
                Ok(metadata) => Ok(metadata.len()),
                Err(error) => {
                    Err(StoreError::unavailable(format!("cannot read `{}`", path.display()), error))
                }
            },
        }
    }

    /// A part of the content, which the SDK may read several times.
    pub(super) async fn part(&self, start: u64, bytes: u64) -> Result<ByteStream, StoreError> {
        match self {
            Self::Bytes(content) => Ok(slice(content, start, bytes).into()),
            Self::File(path) => ByteStream::read_from()
                .path(path)
                .offset(start)
                .length(aws_sdk_s3::primitives::Length::Exact(bytes))
                .build()
                .await
                .map_err(|error| StoreError::unavailable(format!("cannot read `{}`", path.display()), error)),
        }
    }
}

fn slice(content: &Bytes, start: u64, bytes: u64) -> Bytes {
    let index = |offset| usize::try_from(offset).expect("an offset into memory fits");
    content.slice(index(start)..index(start + bytes))
}
