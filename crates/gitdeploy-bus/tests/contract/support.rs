//! Batches to publish, and bounded waiting for what a reader sees.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use gitdeploy_bus::{Batch, BusConfig, BusError, EventBus, Position};
use gitdeploy_core::event::{End, LogLine};
use gitdeploy_core::{Attempt, Body, Event, OutputId, Phase, Stream};
use jiff::Timestamp;

pub(crate) fn id(text: &str) -> OutputId {
    text.parse().unwrap()
}

pub(crate) fn position(attempt: u64, seq: u64) -> Position {
    Position { attempt: Attempt(attempt), seq }
}

pub(crate) fn batch(attempt: u64, seqs: RangeInclusive<u64>) -> Batch {
    let event = |seq| {
        let text = format!("line {seq} ✓");
        let line = LogLine { phase: Phase::Build, stream: Stream::Stdout, line: seq, text };
        Event { seq, at: Timestamp::from_millisecond(1_795_219_200_123).unwrap(), body: Body::Log(line) }
    };
    Batch { attempt: Attempt(attempt), events: seqs.map(event).collect() }
}

/// A batch whose last event is the end.
pub(crate) fn ended_batch(attempt: u64, seqs: RangeInclusive<u64>) -> Batch {
    let mut batch = batch(attempt, seqs);
    batch.events.last_mut().unwrap().body = Body::End(End::ready(1, 2));
    batch
}

pub(crate) fn empty_batch(attempt: u64) -> Batch {
    Batch { attempt: Attempt(attempt), events: Vec::new() }
}

pub(crate) async fn try_open(url: &str) -> Result<EventBus, BusError> {
    soon(EventBus::open(&BusConfig { redis_url: Some(url.into()) })).await
}

pub(crate) async fn open(url: &str) -> EventBus {
    try_open(url).await.unwrap()
}

/// What comes of a future that must not hang.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("it does not hang")
}

/// The places of all events until the stream ends.
pub(crate) async fn seqs(reader: BoxStream<'static, Batch>) -> Vec<u64> {
    soon(reader.flat_map(|batch| futures_util::stream::iter(batch.events)).map(|event| event.seq).collect())
        .await
}

/// The places of at least the next `count` events.
pub(crate) async fn next_seqs(reader: &mut BoxStream<'static, Batch>, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        let batch = soon(reader.next()).await.expect("the build has not ended");
        seqs.extend(batch.events.iter().map(|event| event.seq));
    }
    seqs
}
