//! The objects of the server and the rules by which they change.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use gitdeploy_core::hash::Sha256;
use s3s::dto::{ETag, ETagCondition, Metadata};
use s3s::{S3Error, S3Result, s3_error};

/// S3 refuses smaller parts, but for the last one.
const LEAST_PART: usize = 5 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Objects {
    buckets: BTreeMap<String, Bucket>,
    pub(super) uploads: HashMap<String, Upload>,
    uploads_ever: u64,
    /// Whether writes are done whatever their conditions say.
    pub(super) ignores_conditions: bool,
}

pub(super) type Bucket = BTreeMap<String, Stored>;

#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) bytes: Bytes,
    pub(super) etag: ETag,
    pub(super) content_type: Option<String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) modified: SystemTime,
}

/// A multipart upload on its way.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) content_type: Option<String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) parts: BTreeMap<i32, Bytes>,
}

/// What must hold for an object to be read or written.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Objects {
    pub(super) fn with_bucket(name: &str) -> Self {
        Self { buckets: [(name.to_owned(), Bucket::new())].into(), ..Self::default() }
    }

    pub(super) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.get(name)
    }

    pub(super) fn bucket_mut(&mut self, name: &str) -> Option<&mut Bucket> {
        self.buckets.get_mut(name)
    }

    pub(super) fn existing(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.bucket_mut(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }

    pub(super) fn get(&mut self, bucket: &str, key: &str) -> S3Result<Stored> {
        let found = self.existing(bucket)?.get(key).cloned();
        found.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    /// Writes if the conditions hold, in one step: the caller holds the lock.
    pub(super) fn put(
        &mut self,
        bucket: &str,
        key: &str,
        stored: Stored,
        conditions: &Conditions,
    ) -> S3Result<ETag> {
        let none = Conditions::default();
        let conditions = if self.ignores_conditions { &none } else { conditions };
        let bucket = self.existing(bucket)?;
        match (bucket.get(key), conditions) {
            (None, Conditions { if_match: Some(_), .. }) => {
                return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
            }
            (Some(current), conditions) => conditions.check(current, precondition_failed)?,
            (None, _) => {}
        }
        let etag = stored.etag.clone();
        bucket.insert(key.to_owned(), stored);
        Ok(etag)
    }

    pub(super) fn begin(&mut self, upload: Upload) -> S3Result<String> {
        self.existing(&upload.bucket)?;
        self.uploads_ever += 1;
        let id = format!("upload-{}", self.uploads_ever);
        self.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    pub(super) fn upload(&mut self, id: &str) -> S3Result<&mut Upload> {
        self.uploads.get_mut(id).ok_or_else(no_such_upload)
    }

    pub(super) fn complete(
        &mut self,
        id: &str,
        parts: &[(i32, Option<ETag>)],
        conditions: &Conditions,
    ) -> S3Result<ETag> {
        let upload = self.uploads.remove(id).ok_or_else(no_such_upload)?;
        let completed = upload.assemble(parts).and_then(|stored| {
            let (bucket, key) = (upload.bucket.clone(), upload.key.clone());
            self.put(&bucket, &key, stored, conditions)
        });
        if completed.is_err() {
            self.uploads.insert(id.to_owned(), upload);
        }
        completed
    }
}

impl Upload {
    fn assemble(&self, parts: &[(i32, Option<ETag>)]) -> S3Result<Stored> {
        if !parts.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let mut whole = BytesMut::new();
        for (index, (number, etag)) in parts.iter().enumerate() {
            let part = self.parts.get(number).ok_or_else(|| s3_error!(InvalidPart))?;
            if etag.as_ref().is_some_and(|etag| *etag != etag_of(part)) {
                return Err(s3_error!(InvalidPart));
            }
            if part.len() < LEAST_PART && index + 1 < parts.len() {
                return Err(s3_error!(EntityTooSmall));
            }
            whole.extend_from_slice(part);
        }
        let mut stored = Stored::new(whole.freeze(), self.content_type.clone());
        stored.etag = ETag::Strong(format!("{}-{}", stored.etag.value(), parts.len()));
        stored.metadata.clone_from(&self.metadata);
        Ok(stored)
    }
}

impl Stored {
    pub(super) fn new(bytes: Bytes, content_type: Option<String>) -> Self {
        let etag = etag_of(&bytes);
        Self { bytes, etag, content_type, metadata: None, modified: SystemTime::now() }
    }
}

impl Conditions {
    /// Whether they hold for an object; `unchanged` is what is said when `If-None-Match` does not.
    pub(super) fn check(&self, current: &Stored, unchanged: fn() -> S3Error) -> S3Result<()> {
        let meets = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => *etag == current.etag,
        };
        if self.if_match.as_ref().is_some_and(|condition| !meets(condition)) {
            return Err(precondition_failed());
        }
        if self.if_none_match.as_ref().is_some_and(meets) {
            return Err(unchanged());
        }
        Ok(())
    }
}

/// As in S3, the same content has the same name.
pub(super) fn etag_of(bytes: &[u8]) -> ETag {
    ETag::Strong(Sha256::of(bytes).to_string()[..32].to_owned())
}

fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

fn no_such_upload() -> S3Error {
    s3_error!(NoSuchUpload, "The specified upload does not exist.")
}
