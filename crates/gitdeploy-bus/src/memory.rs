//! Events in memory: for one process with its builders.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{Stream, stream};
use gitdeploy_core::{Attempt, Body, Event, OutputId};
use tokio::sync::watch;

use crate::routes::Routes;
use crate::{Batch, BusError, Position};

/// Of how many ended builds the events are kept, and how many bytes of log lines these have together at most;
/// the one that ended last is kept whatever its size.
const ENDED_KEPT: usize = 64;
const ENDED_BYTES: usize = 32 << 20;

/// How many events a reader gets at once.
const PAGE: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    logs: Arc<Mutex<Logs>>,
    pub(crate) routes: Routes,
}

#[derive(Debug, Default)]
struct Logs {
    by_id: HashMap<OutputId, watch::Sender<Log>>,
    /// Those whose build has ended, the one that ended first in front.
    ended: VecDeque<OutputId>,
}

/// What an attempt has said so far.
#[derive(Debug)]
struct Log {
    attempt: Attempt,
    events: Vec<Event>,
    /// How long its lines are together.
    bytes: usize,
}

impl Memory {
    pub(crate) fn publish(&self, id: &OutputId, batch: &Batch) -> Result<(), BusError> {
        let mut logs = lock(&self.logs);
        let log = logs.by_id.entry(id.clone()).or_insert_with(Log::sender);
        let attempt = log.borrow().attempt;
        if batch.attempt < attempt {
            return Err(BusError::Stale(batch.attempt));
        }
        log.send_if_modified(|log| log.append(batch));
        let has_ended = log.borrow().has_ended();
        logs.ended.retain(|ended| ended != id);
        if has_ended {
            logs.ended.push_back(id.clone());
        }
        logs.forget_ended();
        Ok(())
    }

    pub(crate) fn follow(&self, id: &OutputId, after: Option<Position>) -> impl Stream<Item = Batch> + use<> {
        let mut logs = lock(&self.logs);
        let log = logs.by_id.entry(id.clone()).or_insert_with(Log::sender).subscribe();
        let reader = Reader {
            position: after.unwrap_or(Position::START),
            log: Some(log),
            _forget: Forget { logs: self.logs.clone(), id: id.clone() },
        };
        stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) })
    }

    pub(crate) fn position(&self, id: &OutputId) -> Option<Position> {
        lock(&self.logs).by_id.get(id)?.borrow().last()
    }
}

impl Logs {
    fn forget_ended(&mut self) {
        let mut total: usize = self.ended.iter().map(|id| self.bytes(id)).sum();
        while self.ended.len() > ENDED_KEPT || (total > ENDED_BYTES && self.ended.len() > 1) {
            let Some(oldest) = self.ended.pop_front() else { return };
            total -= self.bytes(&oldest);
            // A reader that is still at it keeps the log alive through its receiver.
            self.by_id.remove(&oldest);
        }
    }

    fn bytes(&self, id: &OutputId) -> usize {
        self.by_id.get(id).map_or(0, |log| log.borrow().bytes)
    }
}

struct Reader {
    position: Position,
    /// Absent once the end was read.
    log: Option<watch::Receiver<Log>>,
    // Dropped after the receiver, so that it does not count it.
    _forget: Forget,
}

impl Reader {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            let log = self.log.as_mut()?;
            let (batch, is_last) = log.borrow_and_update().after(self.position);
            if is_last {
                self.log = None;
            }
            if let Some(last) = batch.last() {
                self.position = last;
                return Some(batch);
            }
            self.log.as_mut()?.changed().await.ok()?;
        }
    }
}

/// Removes a log that nobody has written to when its last reader leaves.
struct Forget {
    logs: Arc<Mutex<Logs>>,
    id: OutputId,
}

impl Drop for Forget {
    fn drop(&mut self) {
        let by_id = &mut lock(&self.logs).by_id;
        if by_id.get(&self.id).is_some_and(|log| log.receiver_count() == 0 && log.borrow().events.is_empty())
        {
            by_id.remove(&self.id);
        }
    }
}

impl Log {
    fn sender() -> watch::Sender<Self> {
        watch::Sender::new(Self { attempt: Position::START.attempt, events: Vec::new(), bytes: 0 })
    }

    /// Whether there was anything new in the batch.
    fn append(&mut self, batch: &Batch) -> bool {
        if batch.attempt > self.attempt {
            *self = Self { attempt: batch.attempt, events: Vec::new(), bytes: 0 };
        }
        let position = self.last().unwrap_or(Position::start_of(self.attempt));
        let new = batch.clone().after(position).events;
        let is_new = !new.is_empty();
        self.bytes += new.iter().map(line_bytes).sum::<usize>();
        self.events.extend(new);
        is_new
    }

    /// The next events after a position, and whether nothing can follow them.
    fn after(&self, position: Position) -> (Batch, bool) {
        let place = |event: &Event| Position { attempt: self.attempt, seq: event.seq };
        let start = self.events.partition_point(|event| place(event) <= position);
        let end = self.events.len().min(start + PAGE);
        let batch = Batch { attempt: self.attempt, events: self.events[start..end].to_vec() };
        (batch, end == self.events.len() && self.has_ended() && self.attempt >= position.attempt)
    }

    fn last(&self) -> Option<Position> {
        self.events.last().map(|event| Position { attempt: self.attempt, seq: event.seq })
    }

    fn has_ended(&self) -> bool {
        self.events.last().is_some_and(|event| event.end().is_some())
    }
}

fn line_bytes(event: &Event) -> usize {
    match &event.body {
        Body::Log(line) => line.text.len(),
        _ => 0,
    }
}

fn lock(logs: &Mutex<Logs>) -> MutexGuard<'_, Logs> {
    logs.lock().expect("no panic while locked")
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};
    use gitdeploy_core::Phase;
    use gitdeploy_core::event::{End, LogLine};

    use super::*;

    fn id(number: usize) -> OutputId {
        format!("id-{number}").parse().unwrap()
    }

    fn events(seqs: std::ops::RangeInclusive<u64>) -> Batch {
        let body = Body::Notice { text: "on".to_owned() };
        let event = |seq| Event { seq, at: jiff::Timestamp::UNIX_EPOCH, body: body.clone() };
        Batch { attempt: Attempt::FIRST, events: seqs.map(event).collect() }
    }

    fn end(seq: u64) -> Batch {
        let body = Body::End(End::ready(0, 0));
        Batch { attempt: Attempt::FIRST, events: vec![Event { seq, at: jiff::Timestamp::UNIX_EPOCH, body }] }
    }

    #[tokio::test]
    async fn only_the_last_ended_builds_are_kept_but_a_reader_that_is_at_it_sees_all() {
        let memory = Memory::default();
        memory.publish(&id(0), &events(1..=2000)).unwrap();
        let mut reader = memory.follow(&id(0), None).boxed();
        let mut seen = reader.next().await.unwrap().events.len();
        assert!(seen < 2000);
        memory.publish(&id(0), &end(2001)).unwrap();
        memory.publish(&id(100), &events(1..=1)).unwrap();
        for number in 1..=ENDED_KEPT {
            memory.publish(&id(number), &end(1)).unwrap();
        }
        assert_eq!(memory.position(&id(0)), None);
        assert!(memory.position(&id(1)).is_some());
        assert!(memory.position(&id(100)).is_some(), "a build that goes on is kept");
        while let Some(batch) = reader.next().await {
            seen += batch.events.len();
        }
        assert_eq!(seen, 2001);
    }

    #[test]
    fn ended_builds_with_long_logs_are_forgotten_sooner() {
        let memory = Memory::default();
        let line = |number: usize| LogLine {
            phase: Phase::Build,
            stream: gitdeploy_core::Stream::Stdout,
            line: number as u64,
            text: "x".repeat(ENDED_BYTES / 2),
        };
        for number in 1..=4 {
            let event = Event { seq: 1, at: jiff::Timestamp::UNIX_EPOCH, body: Body::Log(line(number)) };
            memory.publish(&id(number), &Batch { attempt: Attempt::FIRST, events: vec![event] }).unwrap();
            memory.publish(&id(number), &end(2)).unwrap();
        }
        let kept: Vec<_> = (1..=4).filter(|number| memory.position(&id(*number)).is_some()).collect();
        assert_eq!(kept, [3, 4]);
    }

    #[tokio::test]
    async fn readers_of_a_build_that_never_begins_leave_nothing_behind() {
        let memory = Memory::default();
        let (mut one, other) = (memory.follow(&id(0), None).boxed(), memory.follow(&id(0), None).boxed());
        assert!(one.next().now_or_never().is_none());
        drop(other);
        assert_eq!(lock(&memory.logs).by_id.len(), 1);
        drop(one);
        assert_eq!(lock(&memory.logs).by_id.len(), 0);
    }
}
