//! The operations of S3 over the objects in memory.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::auth::Credentials;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, EncodingType, Error, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput, StreamingBlob,
    UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use super::keys::KeyRing;
use super::listing::Listing;
use super::objects::{Conditions, Objects, Stored, Upload, etag_of};

/// What stays as it is when a client asks for encoded keys.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

#[derive(Debug)]
pub(super) struct Backend {
    objects: Arc<Mutex<Objects>>,
    ring: Arc<KeyRing>,
}

impl Backend {
    pub(super) fn new(objects: Arc<Mutex<Objects>>, ring: Arc<KeyRing>) -> Self {
        Self { objects, ring }
    }

    /// What an object is not told to somebody who may not list the bucket.
    fn found(&self, credentials: Option<&Credentials>, bucket: &str, key: &str) -> S3Result<Stored> {
        let found = self.objects().get(bucket, key);
        found.map_err(|error| self.ring.missing(credentials, bucket, error))
    }

    fn objects(&self) -> std::sync::MutexGuard<'_, Objects> {
        self.objects.lock().expect("no panic while locked")
    }
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.objects().existing(&req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let stored = self.found(req.credentials.as_ref(), &input.bucket, &input.key)?;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        conditions.check(&stored, || s3_error!(NotModified))?;
        let total = stored.bytes.len();
        let (bytes, content_range) = match input.range {
            None => (stored.bytes.clone(), None),
            Some(range) => {
                let range = range.check(total as u64).map_err(|_| s3_error!(InvalidRange))?;
                let content_range = format!("bytes {}-{}/{total}", range.start, range.end - 1);
                (stored.bytes.slice(index(range.start)..index(range.end)), Some(content_range))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(&bytes)),
            content_range,
            content_type: stored.content_type,
            e_tag: Some(stored.etag),
            last_modified: Some(stored.modified.into()),
            metadata: stored.metadata,
            body: Some(StreamingBlob::from(Body::from(bytes))),
            ..Default::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let stored = self.found(req.credentials.as_ref(), &input.bucket, &input.key)?;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        conditions.check(&stored, || s3_error!(NotModified))?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(&stored.bytes)),
            content_type: stored.content_type,
            e_tag: Some(stored.etag),
            last_modified: Some(stored.modified.into()),
            metadata: stored.metadata,
            ..Default::default()
        }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        let mut stored = Stored::new(collect(input.body).await?, input.content_type);
        stored.metadata = input.metadata;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let etag = self.objects().put(&input.bucket, &input.key, stored, &conditions)?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(etag), ..Default::default() }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let mut objects = self.objects();
        let mut stored = objects.get(bucket, key)?;
        let of_source = Conditions { if_match: req.input.copy_source_if_match, if_none_match: None };
        of_source.check(&stored, || s3_error!(PreconditionFailed))?;
        stored.modified = std::time::SystemTime::now();
        if req.input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == "REPLACE") {
            stored.content_type = req.input.content_type;
            stored.metadata = req.input.metadata;
        }
        let last_modified = Some(stored.modified.into());
        let etag = objects.put(&req.input.bucket, &req.input.key, stored, &Conditions::default())?;
        let result = CopyObjectResult { e_tag: Some(etag), last_modified, ..Default::default() };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.objects().existing(&req.input.bucket)?.remove(&req.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut objects = self.objects();
        let bucket = objects.existing(&req.input.bucket)?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in req.input.delete.objects {
            let key = Some(object.key.clone());
            match self.ring.may_delete(req.credentials.as_ref(), &req.input.bucket, &object.key) {
                Ok(()) => {
                    bucket.remove(&object.key);
                    deleted.push(DeletedObject { key, ..Default::default() });
                }
                Err(error) => errors.push(Error {
                    key,
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                    ..Default::default()
                }),
            }
        }
        let (deleted, errors) = (Some(deleted), Some(errors));
        Ok(S3Response::new(DeleteObjectsOutput { deleted, errors, ..Default::default() }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let encode = |text: String| match &input.encoding_type {
            Some(kind) if kind.as_str() == EncodingType::URL => utf8_percent_encode(&text, PLAIN).to_string(),
            _ => text,
        };
        let most = input.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(1000).min(1000);
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let mut objects = self.objects();
        let bucket = objects.existing(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let mut page = Listing::new(bucket, &prefix, input.delimiter.as_deref(), &after);
        let entries: Vec<_> = page.by_ref().take(most).collect();
        let next = entries.last().map(|entry| entry.last.clone()).filter(|_| page.next().is_some());
        let key_count = i32::try_from(entries.len()).ok();
        let (prefixes, contents): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.object.is_none());
        let contents = contents.into_iter().filter_map(|entry| {
            let object = entry.object?;
            Some(Object {
                key: Some(encode(entry.name)),
                size: Some(length(&object.bytes)),
                e_tag: Some(object.etag),
                last_modified: Some(object.modified.into()),
                ..Default::default()
            })
        });
        let common_prefixes =
            prefixes.into_iter().map(|entry| CommonPrefix { prefix: Some(encode(entry.name)) });
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket.clone()),
            prefix: input.prefix.clone().map(encode),
            delimiter: input.delimiter.clone().map(encode),
            start_after: input.start_after.clone().map(encode),
            continuation_token: input.continuation_token.clone(),
            max_keys: input.max_keys,
            key_count,
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents.collect()),
            common_prefixes: Some(common_prefixes.collect()),
            encoding_type: input.encoding_type.clone(),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let CreateMultipartUploadInput { bucket, key, content_type, metadata, .. } = req.input;
        let upload = Upload {
            bucket: bucket.clone(),
            key: key.clone(),
            content_type,
            metadata,
            parts: std::collections::BTreeMap::new(),
        };
        let id = self.objects().begin(upload)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let bytes = collect(req.input.body).await?;
        let e_tag = Some(etag_of(&bytes));
        self.objects().upload(&req.input.upload_id)?.parts.insert(req.input.part_number, bytes);
        Ok(S3Response::new(UploadPartOutput { e_tag, ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let parts: Vec<_> =
            parts.into_iter().filter_map(|part| Some((part.part_number?, part.e_tag))).collect();
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let etag = self.objects().complete(&input.upload_id, &parts, &conditions)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let mut objects = self.objects();
        objects.upload(&req.input.upload_id)?;
        objects.uploads.remove(&req.input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let whole = body.try_fold(BytesMut::new(), async |mut whole, piece| {
        whole.extend_from_slice(&piece);
        Ok(whole)
    });
    whole
        .await
        .map(BytesMut::freeze)
        .map_err(|error| S3Error::with_source(s3s::S3ErrorCode::IncompleteBody, error))
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset into memory fits")
}

fn length(bytes: &Bytes) -> i64 {
    i64::try_from(bytes.len()).expect("a length in memory fits")
}
