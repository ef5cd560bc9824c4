//! The store as the proxy reads it: bounded in time, and with its errors sorted by what they mean here.

use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::Key;
use gitdeploy_store::{ByteRange, ETag, Get, Meta, Object, ObjectStore, StoreError};

use crate::fault::Fault;

/// How long the store may take to begin an answer.
pub(crate) const FIRST_BYTE: Duration = Duration::from_secs(10);

/// How long the store may take for a whole body that is kept in memory.
const WHOLE_BODY: Duration = Duration::from_mins(1);

/// The largest record, in bytes: a manifest of some 200,000 files.
const MAX_RECORD: u64 = gitdeploy_core::manifest::LARGEST;

/// The store. Its futures are boxed: those of the S3 client have 14 KB, which every connection would carry.
#[derive(Debug, Clone)]
pub(crate) struct Origin(ObjectStore);

/// A record that was asked for.
#[derive(Debug)]
pub(crate) enum Record {
    /// There is none.
    Absent,
    /// It is still the one that is known.
    Unchanged,
    /// It is this.
    Read(ETag, Bytes),
}

impl Origin {
    pub(crate) fn new(store: ObjectStore) -> Self {
        Self(store)
    }

    /// A small object such as a manifest, unless it is still the one called `known`.
    pub(crate) async fn record(&self, key: &Key, known: Option<ETag>) -> Result<Record, Fault> {
        let get = Get { if_none_match: known, ..Get::default() };
        match within(FIRST_BYTE, Box::pin(self.0.get(key, get))).await? {
            Ok(object) => {
                let (meta, bytes) = within(WHOLE_BODY, object.read(MAX_RECORD)).await??;
                Ok(Record::Read(meta.etag, bytes))
            }
            Err(StoreError::NotFound(_)) => Ok(Record::Absent),
            Err(StoreError::NotModified) => Ok(Record::Unchanged),
            Err(error) => Err(error.into()),
        }
    }

    /// What the store knows of an object, if there is one.
    pub(crate) async fn head(&self, key: &Key) -> Result<Option<Meta>, Fault> {
        match within(FIRST_BYTE, Box::pin(self.0.head(key))).await? {
            Ok(meta) => Ok(Some(meta)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The object, or a part of it, if its content is still the one called `etag`.
    pub(crate) async fn open(
        &self,
        key: &Key,
        etag: &ETag,
        range: Option<ByteRange>,
    ) -> Result<Object, Fault> {
        let get = Get { range, if_match: Some(etag.clone()), if_none_match: None };
        match within(FIRST_BYTE, Box::pin(self.0.get(key, get))).await? {
            Ok(object) => Ok(object),
            Err(StoreError::NotFound(key) | StoreError::Changed(key)) => Err(Fault::Outdated(key)),
            Err(error) => Err(error.into()),
        }
    }

    /// The whole object of `bytes` bytes, if its content is still the one called `etag`.
    pub(crate) async fn whole(&self, key: &Key, etag: &ETag, bytes: u64) -> Result<Bytes, Fault> {
        let object = self.open(key, etag, None).await?;
        let (_, body) = within(WHOLE_BODY, object.read(bytes)).await??;
        if body.len() as u64 != bytes {
            let found = body.len();
            return Err(Fault::Damaged(format!("`{key}` has {found} bytes where {bytes} are expected")));
        }
        Ok(body)
    }
}

async fn within<T>(bound: Duration, answer: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::time::timeout(bound, answer).await.map_err(|_| Fault::Timeout(bound))
}
