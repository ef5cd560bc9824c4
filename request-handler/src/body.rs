//! The bytes of files: from memory if they are few, piece by piece from the store otherwise.

mod content;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use gitdeploy_store::{ByteRange, ObjectBody, StoreError};

use crate::account::{Account, Source};
use crate::cached::{Cached, Loaded};
use crate::fault::Fault;
use crate::file::{Name, Stored};
use crate::origin::Origin;
use crate::range::Part;

pub use content::Body;
pub(crate) use content::full;
use content::{BodyError, of_pieces};

/// The largest file that is kept in memory, in bytes.
const MAX_KEPT: u64 = 8 << 20;

/// What most files of web sites weigh, in bytes, about.
const TYPICAL: u64 = 16 << 10;

/// How long the store may take for the next piece of a large file.
const STALL: Duration = Duration::from_secs(30);

/// The files that were asked for lately.
#[derive(Clone)]
pub(crate) struct Bodies {
    origin: Origin,
    kept: Arc<Cached<Arc<Name>, Bytes>>,
}

impl Bodies {
    /// Keeps up to `capacity` bytes in memory.
    pub(crate) fn new(origin: Origin, capacity: u64) -> Self {
        Self { origin, kept: Cached::new(capacity, TYPICAL, MAX_KEPT) }
    }

    /// How many bytes and files are in memory, about.
    pub(crate) fn held(&self) -> (u64, u64) {
        self.kept.held()
    }

    /// The body of a file, or a part of it that lies within it.
    pub(crate) async fn open(
        &self,
        file: &Stored,
        range: Option<ByteRange>,
        account: &mut Account,
    ) -> Result<Body, Fault> {
        if file.bytes > MAX_KEPT {
            // Boxed: what is sent from memory carries no room for what is not.
            return Box::pin(self.stream(file, range, account)).await;
        }
        let whole = self.whole(file, account).await?;
        Ok(full(match range {
            None => whole,
            Some(range) => whole.slice(index(range.start)..=index(range.end)),
        }))
    }

    /// A file that is not kept in memory, as it comes from the store.
    async fn stream(
        &self,
        file: &Stored,
        range: Option<ByteRange>,
        account: &mut Account,
    ) -> Result<Body, Fault> {
        account.source = Some(Source::Store);
        let begin = Instant::now();
        let object = self.origin.open(&file.name.key, &file.name.etag, range).await?;
        account.store_time += begin.elapsed();
        if object.meta.bytes != file.bytes {
            let (key, found) = (&file.name.key, object.meta.bytes);
            let expected = file.bytes;
            return Err(Fault::Damaged(format!("`{key}` has {found} bytes where {expected} are expected")));
        }
        Ok(match object.body {
            ObjectBody::Bytes(bytes) => full(bytes),
            ObjectBody::Stream(stream) => paced(stream),
        })
    }

    /// Several parts of a file, each behind its head, and the tail after them. The first part is asked for at once; a
    /// part of a large file is asked of the store when its turn comes.
    pub(crate) async fn open_parts(
        &self,
        file: &Stored,
        parts: Vec<Part>,
        tail: Bytes,
        account: &mut Account,
    ) -> Result<Body, Fault> {
        let mut parts = parts.into_iter();
        let mut pieces = stream::empty().boxed();
        if let Some(first) = parts.next() {
            let body = self.open(file, Some(first.range), account).await?;
            pieces = behind(first.head, body).boxed();
        }
        let (bodies, file) = (self.clone(), file.clone());
        let rest = stream::iter(parts).then(move |Part { head, range }| {
            let (bodies, file) = (bodies.clone(), file.clone());
            async move {
                match bodies.open(&file, Some(range), &mut Account::default()).await {
                    Ok(body) => behind(head, body).boxed(),
                    Err(fault) => stream::iter([Err(failed(fault))]).boxed(),
                }
            }
        });
        Ok(of_pieces(pieces.chain(rest.flatten()).chain(stream::iter([Ok(tail)])).boxed()))
    }

    /// A file that is kept in memory, which are those of up to 8 MiB.
    pub(crate) async fn whole(&self, file: &Stored, account: &mut Account) -> Result<Bytes, Fault> {
        account.source = Some(Source::Memory);
        if file.bytes == 0 {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.kept.ready(&file.name) {
            return Ok(bytes);
        }
        let load = |_| {
            let (origin, name, bytes) = (self.origin.clone(), Arc::clone(&file.name), file.bytes);
            async move {
                let body = origin.whole(&name.key, &name.etag, bytes).await?;
                let weight = body.len();
                Ok(Loaded::for_ever(body, weight))
            }
        };
        account.source = Some(Source::Store);
        let begin = Instant::now();
        let bytes = self.kept.get(&file.name, load).await;
        account.store_time += begin.elapsed();
        bytes
    }
}

/// The pieces of a body after a head.
fn behind(head: Bytes, body: Body) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    stream::iter([Ok(head)]).chain(body.into_pieces())
}

/// A body that fails, which closes the connection, when the store fails or stalls: never a short success.
fn paced(pieces: BoxStream<'static, Result<Bytes, StoreError>>) -> Body {
    let pieces = stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        match tokio::time::timeout(STALL, pieces.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(error))) => Some((Err(failed(error.into())), None)),
            Err(_) => Some((Err(failed(Fault::Timeout(STALL))), None)),
        }
    });
    of_pieces(pieces.boxed())
}

fn failed(fault: Fault) -> BodyError {
    tracing::warn!(%fault, "a body ends early");
    fault.into()
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset into memory fits")
}
