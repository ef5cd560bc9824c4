//! Reading a build's events: the stream from a position on, again whenever there may be more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use gitdeploy_core::OutputId;

use super::subscriptions::{PAUSES, Subscription};
use super::{Redis, stream as stream_key};
use crate::{Batch, BusError, Position};

/// How many entries are read at once; an entry has up to 32 KiB of events.
const PAGE: usize = 100;

/// How long a reader waits for a message before it looks by itself: a message may have been lost.
const SILENCE: Duration = Duration::from_secs(10);

pub(crate) fn follow(
    redis: Arc<Redis>,
    id: &OutputId,
    after: Option<Position>,
) -> impl Stream<Item = Batch> + use<> {
    let reader = Reader {
        redis,
        id: id.clone(),
        position: after.unwrap_or(Position::START),
        page: VecDeque::new(),
        subscription: None,
        pause: PAUSES.0,
        state: State::Resuming,
    };
    stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) })
}

struct Reader {
    redis: Arc<Redis>,
    id: OutputId,
    /// The last event that was handed out or passed over.
    position: Position,
    page: VecDeque<(Position, Batch)>,
    subscription: Option<Subscription>,
    /// How long to wait after the next failure.
    pause: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The stream was not read yet: the position may be the end already.
    Resuming,
    Following,
    Ended,
}

impl Reader {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            if let Some(batch) = self.next_of_page() {
                return Some(batch);
            }
            if self.state == State::Ended {
                return None;
            }
            match self.read().await {
                Ok(()) if self.page.is_empty() && self.state != State::Ended => self.wait(SILENCE).await,
                Ok(()) => {}
                Err(error) => self.recover(&error).await,
            }
        }
    }

    fn next_of_page(&mut self) -> Option<Batch> {
        while let Some((last, batch)) = self.page.pop_front() {
            let batch = batch.after(self.position);
            self.position = self.position.max(last);
            if batch.end().is_some() {
                self.page.clear();
                self.state = State::Ended;
            }
            if !batch.events.is_empty() {
                return Some(batch);
            }
        }
        None
    }

    /// Fills the page with what comes after the position.
    async fn read(&mut self) -> Result<(), BusError> {
        let (redis, id) = (&self.redis, &self.id);
        self.subscription.get_or_insert_with(|| redis.subscriptions.subscribe(id)).catch_up();
        let mut entries = redis.page(id, self.position).await?;
        let overtaken = entries.last().is_some_and(|(last, _)| last.attempt > self.position.attempt);
        if (overtaken || self.state == State::Resuming)
            && let Some((newest, batch)) = redis.newest(id).await?
        {
            let is_ours = newest.attempt == self.position.attempt;
            if is_ours && newest <= self.position && batch.end().is_some() {
                self.state = State::Ended;
                return Ok(());
            }
            let start = Position::start_of(newest.attempt);
            if entries.first().is_some_and(|(first, _)| *first < start) {
                entries = redis.page(id, start).await?;
            }
        }
        self.state = State::Following;
        self.pause = PAUSES.0;
        self.page = entries.into();
        Ok(())
    }

    async fn wait(&mut self, limit: Duration) {
        match &mut self.subscription {
            Some(subscription) => subscription.wait(limit).await,
            None => tokio::time::sleep(limit).await,
        }
    }

    async fn recover(&mut self, error: &BusError) {
        if self.pause == PAUSES.0 {
            tracing::warn!(deployment.id = %self.id, %error, "reading events was interrupted; it goes on by itself");
        }
        self.wait(self.pause).await;
        self.pause = PAUSES.1.min(self.pause * 2);
    }
}

impl Redis {
    /// The first entries that hold events after `position`.
    async fn page(&self, id: &OutputId, position: Position) -> Result<Vec<(Position, Batch)>, BusError> {
        let start = format!("{}-{}", position.attempt, position.seq.saturating_add(1));
        let mut command = redis::cmd("XRANGE");
        command.arg(stream_key(id)).arg(start).arg("+").arg("COUNT").arg(PAGE);
        self.entries(id, &command).await
    }
}
