//! The bytes of files: from memory if they are few, piece by piece from the store otherwise.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use gitdeploy_core::Key;
use gitdeploy_store::{ByteRange, ETag, ObjectBody, StoreError};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

use crate::account::{Account, Source};
use crate::cached::{Cached, Loaded};
use crate::fault::Fault;
use crate::origin::Origin;
use crate::site::File;

/// The largest file that is kept in memory, in bytes.
const MAX_KEPT: u64 = 8 << 20;

/// How long the store may take for the next piece of a large file.
const STALL: Duration = Duration::from_secs(30);

/// What is sent to a visitor.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// The files that were asked for lately.
#[derive(Clone)]
pub(crate) struct Bodies {
    origin: Origin,
    kept: Arc<Cached<(Key, ETag), Bytes>>,
}

/// A body of bytes that are there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

impl Bodies {
    /// Keeps up to `capacity` bytes in memory.
    pub(crate) fn new(origin: Origin, capacity: u64) -> Self {
        Self { origin, kept: Cached::new(capacity) }
    }

    /// How many bytes and files are in memory, about.
    pub(crate) fn held(&self) -> (u64, u64) {
        self.kept.held()
    }

    /// The body of a file, or a part of it that lies within it.
    pub(crate) async fn open(
        &self,
        file: &File,
        range: Option<ByteRange>,
        account: &mut Account,
    ) -> Result<Body, Fault> {
        if file.bytes > MAX_KEPT {
            account.source = Some(Source::Store);
            let begin = Instant::now();
            let object = self.origin.open(&file.key, &file.etag, range).await?;
            account.store_time += begin.elapsed();
            if object.meta.bytes != file.bytes {
                let (key, found) = (&file.key, object.meta.bytes);
                let expected = file.bytes;
                return Err(Fault::Damaged(format!(
                    "`{key}` has {found} bytes where {expected} are expected"
                )));
            }
            return Ok(match object.body {
                ObjectBody::Bytes(bytes) => full(bytes),
                ObjectBody::Stream(stream) => paced(stream),
            });
        }
        let whole = self.whole(file, account).await?;
        Ok(full(match range {
            None => whole,
            Some(range) => whole.slice(index(range.start)..=index(range.end)),
        }))
    }

    async fn whole(&self, file: &File, account: &mut Account) -> Result<Bytes, Fault> {
        account.source = Some(Source::Memory);
        if file.bytes == 0 {
            return Ok(Bytes::new());
        }
        let name = (file.key.clone(), file.etag.clone());
        let load = |_| {
            let (origin, (key, etag), bytes) = (self.origin.clone(), name.clone(), file.bytes);
            async move {
                let body = origin.whole(&key, &etag, bytes).await?;
                let weight = body.len();
                Ok(Loaded::for_ever(body, weight))
            }
        };
        if let Some(bytes) = self.kept.ready(&name) {
            return Ok(bytes);
        }
        account.source = Some(Source::Store);
        let begin = Instant::now();
        let bytes = self.kept.get(&name, load).await;
        account.store_time += begin.elapsed();
        bytes
    }
}

/// A body that fails, which closes the connection, when the store fails or stalls: never a short success.
fn paced(pieces: BoxStream<'static, Result<Bytes, StoreError>>) -> Body {
    let frames = stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        match tokio::time::timeout(STALL, pieces.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(piece))) => Some((Ok(Frame::data(piece)), Some(pieces))),
            Ok(Some(Err(error))) => Some((Err(failed(error.into())), None)),
            Err(_) => Some((Err(failed(Fault::Timeout(STALL))), None)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

fn failed(fault: Fault) -> Box<dyn Error + Send + Sync> {
    tracing::warn!(%fault, "a body ends early");
    fault.into()
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset into memory fits")
}
