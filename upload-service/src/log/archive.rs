//! The archive of a log in the store: events as NDJSON, compressed with zstd.

use std::io::Write as _;

use async_compression::tokio::bufread::ZstdDecoder;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use gitdeploy_bus::{BusError, Position};
use gitdeploy_core::{Attempt, End, Event, OutputId, keys};
use gitdeploy_store::{Content, Get, ObjectBody, ObjectStore, Precondition, Put, StoreError};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio_stream::wrappers::LinesStream;
use tokio_util::io::StreamReader;

use super::{Events, LogEvent};
use crate::catalog::Deployment;

/// How hard the archive is compressed.
const LEVEL: i32 = 3;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("the archive of the log is damaged")]
    Damaged(#[source] std::io::Error),
}

impl From<std::io::Error> for LogError {
    fn from(error: std::io::Error) -> Self {
        // The store's errors pass through readers, which know errors of one kind only.
        error.downcast::<StoreError>().map_or_else(Self::Damaged, Self::Store)
    }
}

/// The events of a deployment after `place`, if there is an archive: those of its last attempt.
pub(crate) async fn events(
    store: &ObjectStore,
    deployment: &Deployment,
    place: Position,
) -> Result<Option<Events>, LogError> {
    let attempt = deployment.attempt.max(Attempt::FIRST);
    // Whoever waited for an attempt that never came has seen all but the end.
    let all_seen = place.attempt > attempt;
    let place = place.max(Position::start_of(attempt));
    let Some(events) = read(store, &deployment.output(), place.seq).await? else {
        return Ok(None);
    };
    let events = events.try_filter(move |event| std::future::ready(!all_seen || event.end().is_some()));
    Ok(Some(events.map_ok(move |event| LogEvent { attempt, event }).boxed()))
}

/// The events after `seq`, if there is an archive.
async fn read(
    store: &ObjectStore,
    id: &OutputId,
    seq: u64,
) -> Result<Option<BoxStream<'static, Result<Event, LogError>>>, LogError> {
    let object = match store.get(&keys::log(id), Get::default()).await {
        Ok(object) => object,
        Err(StoreError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut decoder = ZstdDecoder::new(reader(object.body));
    decoder.multiple_members(true);
    let events = LinesStream::new(BufReader::new(decoder).lines())
        .map(|line| {
            let event: Event = serde_json::from_str(&line?).map_err(std::io::Error::from)?;
            Ok::<_, LogError>(event)
        })
        .try_filter(move |event| std::future::ready(event.seq > seq));
    Ok(Some(events.boxed()))
}

/// The end that the archive tells, if there is an archive that tells one.
pub(crate) async fn end(store: &ObjectStore, id: &OutputId) -> Result<Option<End>, StoreError> {
    let mut events = match read(store, id, 0).await {
        Ok(Some(events)) => events,
        Ok(None) => return Ok(None),
        Err(LogError::Store(error)) => return Err(error),
        Err(error) => return Ok(damaged(id, &error)),
    };
    let mut end = None;
    loop {
        match events.try_next().await {
            Ok(Some(event)) => end = event.end().cloned(),
            Ok(None) => return Ok(end),
            Err(LogError::Store(error)) => return Err(error),
            Err(error) => return Ok(damaged(id, &error)),
        }
    }
}

/// Writes the archive of a log that nobody else will write. One that is there stays, unless its end is `untrue`.
pub(crate) async fn write(
    store: &ObjectStore,
    id: &OutputId,
    events: Vec<Event>,
    untrue: bool,
) -> Result<(), StoreError> {
    // A log may be long, and others wait for this thread.
    let packed = tokio::task::spawn_blocking(move || packed(&events));
    let bytes = packed.await.expect("the work does not panic").expect("memory can be written");
    let precondition = if untrue { Precondition::None } else { Precondition::Absent };
    let put = Put { precondition, content_type: Some("application/zstd".to_owned()), ..Put::default() };
    match store.put(&keys::log(id), Content::Bytes(bytes.into()), put).await {
        Ok(_) | Err(StoreError::Changed(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn packed(events: &[Event]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    for event in events {
        encoder.write_all(event.to_json().as_bytes())?;
        encoder.write_all(b"\n")?;
    }
    encoder.finish()
}

fn damaged(id: &OutputId, error: &LogError) -> Option<End> {
    tracing::warn!(%error, deployment.id = %id, "the archive of a log cannot be read");
    None
}

fn reader(body: ObjectBody) -> BufReader<Box<dyn AsyncRead + Send + Unpin>> {
    let reader: Box<dyn AsyncRead + Send + Unpin> = match body {
        ObjectBody::Bytes(bytes) => Box::new(std::io::Cursor::new(bytes)),
        ObjectBody::Stream(stream) => Box::new(StreamReader::new(stream.map_err(std::io::Error::other))),
    };
    BufReader::new(reader)
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::Body;
    use jiff::Timestamp;

    use super::*;

    fn events() -> Vec<Event> {
        let event = |seq, body| Event { seq, at: Timestamp::UNIX_EPOCH, body };
        vec![
            event(1, Body::Notice { text: "one".to_owned() }),
            event(2, Body::Notice { text: "two".to_owned() }),
            event(3, Body::End(End::ready(1, 2))),
        ]
    }

    #[tokio::test]
    async fn an_archive_is_read_from_any_place() {
        let (store, id) = (ObjectStore::memory(), "blog".parse().unwrap());
        assert!(read(&store, &id, 0).await.unwrap().is_none());
        assert_eq!(end(&store, &id).await.unwrap(), None);
        write(&store, &id, events(), false).await.unwrap();
        for seq in 0..4 {
            let rest: Vec<_> = read(&store, &id, seq).await.unwrap().unwrap().try_collect().await.unwrap();
            assert_eq!(rest, events()[usize::try_from(seq).unwrap().min(3)..]);
        }
        assert_eq!(end(&store, &id).await.unwrap(), Some(End::ready(1, 2)));
    }

    #[tokio::test]
    async fn the_first_archive_stays() {
        let (store, id) = (ObjectStore::memory(), "blog".parse().unwrap());
        write(&store, &id, events(), false).await.unwrap();
        write(&store, &id, events()[..1].to_vec(), false).await.unwrap();
        assert_eq!(end(&store, &id).await.unwrap(), Some(End::ready(1, 2)));
        write(&store, &id, events()[..1].to_vec(), true).await.unwrap();
        assert_eq!(end(&store, &id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_damaged_archive_tells_no_end() {
        let (store, id) = (ObjectStore::memory(), "blog".parse().unwrap());
        let content = Content::Bytes("garbage".into());
        store.put(&keys::log(&id), content, Put::default()).await.unwrap();
        assert_eq!(end(&store, &id).await.unwrap(), None);
    }
}
