//! Copying inside of the store: no byte comes to us.

use aws_sdk_s3::types::MetadataDirective;
use gitdeploy_core::Key;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::S3;
use super::client::upload;
use super::multipart;
use super::read::etag;
use super::write::Write;
use crate::error::StoreError;
use crate::object::{Copy, ETag, Put};

/// What is written in another way in the header that names the source.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

impl S3 {
    pub(crate) async fn copy(
        &self,
        from: &Key,
        source: &ETag,
        to: &Key,
        copy: Copy,
    ) -> Result<ETag, StoreError> {
        let Copy { content_type, pace } = copy;
        let write = Write::new(to, Put { content_type, pace, ..Put::default() }, false);
        write.request(|| self.copy_once(from, source, &write)).await
    }

    async fn copy_once(&self, from: &Key, source: &ETag, write: &Write<'_>) -> Result<ETag, StoreError> {
        let copied = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .key(self.key(write.key))
            .copy_source(format!("{}/{}", self.bucket, utf8_percent_encode(&self.key(from), ENCODED)))
            .copy_source_if_match(&source.0)
            // Else the type of the source would be kept.
            .metadata_directive(MetadataDirective::Replace)
            .set_content_type(write.content_type.clone())
            .customize()
            // S3 answers when it is done; it has as long as if the largest object came from us.
            .config_override(upload(multipart::ABOVE, write.repeats()))
            .send()
            .await
            .map_err(|error| self.doing("copy", from.as_str()).failed(&error))?;
        let result = copied.copy_object_result.and_then(|result| result.e_tag);
        result.as_deref().map(etag).ok_or_else(|| self.doing("copy", from.as_str()).incomplete())
    }
}
