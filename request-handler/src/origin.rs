//! The store as the proxy reads it: bounded in time, and with its errors sorted by what they mean here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gitdeploy_core::Key;
use gitdeploy_store::{ByteRange, ETag, Get, Meta, Object, ObjectStore, StoreError};

use crate::breaker::Breaker;
use crate::fault::Fault;
use crate::metrics::{Metrics, Operation, Outcome};

/// The bytes a second that a body must make at least which is kept in memory.
const SLOWEST: u64 = 256 << 10;

/// The largest record, in bytes: a manifest of some 200,000 files.
const MAX_RECORD: u64 = gitdeploy_core::manifest::LARGEST;

/// The store, as long as it works. Its futures are boxed: those of the S3 client have 14 KB, which every connection
/// would carry.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    store: ObjectStore,
    breaker: Breaker,
    /// How long the store may take to begin an answer.
    patience: Duration,
    metrics: Arc<Metrics>,
}

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
    /// `patience` is how long the store may take to begin an answer.
    pub(crate) fn new(store: ObjectStore, patience: Duration, metrics: Arc<Metrics>) -> Self {
        Self { store, breaker: Breaker::default(), patience, metrics }
    }

    /// A small object such as a manifest, unless it is still the one called `known`.
    pub(crate) async fn record(&self, key: &Key, known: Option<ETag>) -> Result<Record, Fault> {
        let get = Get { if_none_match: known, ..Get::default() };
        match self.ask(Operation::Get, Box::pin(self.store.get(key, get))).await? {
            Ok(object) => {
                let bound = self.for_body(object.meta.bytes);
                let (meta, bytes) = within(bound, object.read(MAX_RECORD)).await??;
                Ok(Record::Read(meta.etag, bytes))
            }
            Err(StoreError::NotFound(_)) => Ok(Record::Absent),
            Err(StoreError::NotModified) => Ok(Record::Unchanged),
            Err(error) => Err(error.into()),
        }
    }

    /// What the store knows of an object, if there is one.
    pub(crate) async fn head(&self, key: &Key) -> Result<Option<Meta>, Fault> {
        match self.ask(Operation::Head, Box::pin(self.store.head(key))).await? {
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
        match self.ask(Operation::Get, Box::pin(self.store.get(key, get))).await? {
            Ok(object) => Ok(object),
            Err(StoreError::NotFound(key) | StoreError::Changed(key)) => Err(Fault::Outdated(key)),
            Err(error) => Err(error.into()),
        }
    }

    /// The whole object of `bytes` bytes, if its content is still the one called `etag`.
    pub(crate) async fn whole(&self, key: &Key, etag: &ETag, bytes: u64) -> Result<Bytes, Fault> {
        let object = self.open(key, etag, None).await?;
        let (_, body) = within(self.for_body(bytes), object.read(bytes)).await??;
        if body.len() as u64 != bytes {
            let found = body.len();
            return Err(Fault::Damaged(format!("`{key}` has {found} bytes where {bytes} are expected")));
        }
        Ok(body)
    }

    /// How long a body of so many bytes may take. While it does, everybody waits who asks for it.
    fn for_body(&self, bytes: u64) -> Duration {
        self.patience + Duration::from_secs(bytes / SLOWEST)
    }

    /// What the store answers, if it is fit to be asked and answers in time. An answer that says that something is not
    /// there is an answer.
    async fn ask<T>(
        &self,
        operation: Operation,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Result<T, StoreError>, Fault> {
        self.breaker.admit()?;
        let begin = Instant::now();
        let answer = within(self.patience, request).await;
        let outcome = match &answer {
            Ok(Err(error)) if error.is_transient() => Outcome::Failed,
            Ok(_) => Outcome::Answered,
            Err(_) => Outcome::TimedOut,
        };
        self.metrics.asked_store(operation, outcome, begin.elapsed());
        match answer {
            Ok(Err(error)) if error.is_transient() => {
                let fault = Fault::from(error);
                self.breaker.failed(&fault);
                Err(fault)
            }
            Ok(answer) => {
                self.breaker.works();
                Ok(answer)
            }
            Err(fault) => {
                self.breaker.failed(&fault);
                Err(fault)
            }
        }
    }
}

async fn within<T>(bound: Duration, answer: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::time::timeout(bound, answer).await.map_err(|_| Fault::Timeout(bound))
}
