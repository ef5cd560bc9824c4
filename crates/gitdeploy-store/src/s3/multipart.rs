//! Writing a large object in parts, several at a time.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::S3;
use super::client::{patient, upload};
use super::read::etag;
use super::write::Write;
use crate::error::StoreError;
use crate::object::{Content, ETag};

/// The size above which an object is written in parts, the size of a part, and how many are under way.
pub(super) const ABOVE: u64 = 64 * 1024 * 1024;
const PART: u64 = 16 * 1024 * 1024;
const AT_A_TIME: usize = 4;

/// How many parts S3 allows.
const MOST_PARTS: u64 = 10_000;

impl S3 {
    /// An upload that fails is aborted, for its parts cost money until then. Parts of a process that died
    /// are left to the bucket's lifecycle rule for incomplete uploads.
    pub(super) async fn put_parts(
        &self,
        write: &Write<'_>,
        content: &Content,
        bytes: u64,
    ) -> Result<ETag, StoreError> {
        let id = write.request(|| self.begin_parts(write)).await?;
        let written = self.send_parts(write, content, bytes, &id).await;
        if written.is_err() {
            self.abort(write, &id).await;
        }
        written
    }

    async fn begin_parts(&self, write: &Write<'_>) -> Result<String, StoreError> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(self.key(write.key))
            .set_content_type(write.content_type.clone())
            .set_metadata(write.metadata())
            .customize()
            .config_override(upload(0, write.repeats()))
            .send()
            .await
            .map_err(|error| self.doing("write", write.key.as_str()).failed(&error))?;
        begun.upload_id.ok_or_else(|| self.doing("write", write.key.as_str()).incomplete())
    }

    /// A part that fails is sent again alone.
    async fn send_parts(
        &self,
        write: &Write<'_>,
        content: &Content,
        bytes: u64,
        id: &str,
    ) -> Result<ETag, StoreError> {
        let part_bytes = PART.max(bytes.div_ceil(MOST_PARTS));
        let starts = (0..bytes.div_ceil(part_bytes)).map(|part| part * part_bytes);
        let parts: Vec<_> = stream::iter((1..).zip(starts))
            .map(|(number, start)| {
                let range = (start, part_bytes.min(bytes - start));
                write.request(move || self.send_part(write, content, id, number, range))
            })
            .buffered(AT_A_TIME)
            .try_collect()
            .await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        write.request(|| self.complete_parts(write, id, &parts)).await
    }

    async fn complete_parts(
        &self,
        write: &Write<'_>,
        id: &str,
        parts: &CompletedMultipartUpload,
    ) -> Result<ETag, StoreError> {
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(self.key(write.key))
            .upload_id(id)
            .set_if_match(write.if_match.clone())
            .set_if_none_match(write.if_none_match.clone())
            .multipart_upload(parts.clone())
            .customize()
            .config_override(patient(write.repeats()))
            .send()
            .await
            .map_err(|error| write.refused(self.doing("write", write.key.as_str()).failed(&error)))?;
        completed
            .e_tag
            .as_deref()
            .map(etag)
            .ok_or_else(|| self.doing("write", write.key.as_str()).incomplete())
    }

    async fn send_part(
        &self,
        write: &Write<'_>,
        content: &Content,
        id: &str,
        number: i32,
        (start, bytes): (u64, u64),
    ) -> Result<CompletedPart, StoreError> {
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(self.key(write.key))
            .upload_id(id)
            .part_number(number)
            .body(content.part(start, bytes).await?)
            .customize()
            .config_override(upload(bytes, write.repeats()))
            .send()
            .await
            .map_err(|error| self.doing("write", write.key.as_str()).failed(&error))?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
    }

    async fn abort(&self, write: &Write<'_>, id: &str) {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(self.key(write.key));
        if let Err(error) = request.upload_id(id).send().await {
            let error = self.doing("abort", write.key.as_str()).failed(&error);
            tracing::debug!(%error, "an upload that failed could not be aborted");
        }
    }
}
