//! Appending batches, with a login that need not be allowed to read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use gitdeploy_core::OutputId;
use redis::RedisError;

use super::link::Request;
use super::{FIELD, Redis, channel, link, stream};
use crate::{Batch, BusError, Position};

/// How long the events of a build are kept after the last of them, in seconds.
const KEPT_SECONDS: u64 = 7 * 24 * 60 * 60;

/// Of how many builds this process remembers what it sent.
const REMEMBERED: usize = 1024;

/// What this process has sent for each build.
#[derive(Debug, Default)]
pub(super) struct Sent(Mutex<HashMap<OutputId, Marks>>);

#[derive(Debug, Clone, Copy)]
struct Marks {
    /// The last event that was sent, whether or not an answer came.
    tried: Position,
    /// The last event that Redis has and that the channel was told.
    told: Position,
}

impl Redis {
    pub(crate) async fn publish(&self, id: &OutputId, batch: &Batch, last: Position) -> Result<(), BusError> {
        let events = batch.to_ndjson();
        let before = self.sent.try_up_to(id, last);
        let mut append = redis::cmd("XADD");
        append.arg(stream(id)).arg(format!("{}-{}", last.attempt, last.seq)).arg(FIELD).arg(&events);
        match self.link.query::<redis::Value>(Request::One(&append)).await {
            Ok(_) => {}
            Err(error) if is_not_after(&error) => {
                self.require_repeat(id, last, before.tried).await?;
                if last <= before.told {
                    return Ok(());
                }
                // The entry is there, but the answer to it, and with it the message, were lost.
            }
            Err(error) => return Err(link::failure(format!("publish events of {id}"), error)),
        }
        let mut tell = redis::pipe();
        tell.cmd("PUBLISH").arg(channel(id)).arg(&events).ignore();
        tell.cmd("EXPIRE").arg(stream(id)).arg(KEPT_SECONDS).ignore();
        let told = self.link.query::<()>(Request::Several(&tell)).await;
        told.map_err(|error| link::failure(format!("publish events of {id}"), error))?;
        self.sent.told(id, last);
        Ok(())
    }

    /// That a batch which Redis refused is there already, and not overtaken.
    async fn require_repeat(&self, id: &OutputId, last: Position, tried: Position) -> Result<(), BusError> {
        match self.position(id).await {
            Ok(Some(newest)) if newest.attempt > last.attempt => Err(BusError::Stale(last.attempt)),
            Ok(Some(newest)) if newest >= last => Ok(()),
            Ok(_) => Err(BusError::Unavailable {
                context: format!("publish events of {id}"),
                source: "the stream was removed meanwhile".into(),
            }),
            // A login that may only write cannot look. What was never sent before cannot be a repeat.
            Err(BusError::Denied { .. }) if tried.attempt == last.attempt && tried >= last => Ok(()),
            Err(BusError::Denied { .. }) => Err(BusError::Stale(last.attempt)),
            Err(error) => Err(error),
        }
    }
}

impl Sent {
    /// Notes that the events up to `last` are being sent and returns what was noted before.
    fn try_up_to(&self, id: &OutputId, last: Position) -> Marks {
        let mut sent = self.lock();
        if sent.len() >= REMEMBERED && !sent.contains_key(id) {
            sent.clear();
        }
        let marks = sent.entry(id.clone()).or_insert(Marks { tried: Position::START, told: Position::START });
        let before = *marks;
        marks.tried = marks.tried.max(last);
        before
    }

    fn told(&self, id: &OutputId, last: Position) {
        if let Some(marks) = self.lock().get_mut(id) {
            marks.told = marks.told.max(last);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OutputId, Marks>> {
        self.0.lock().expect("no panic while locked")
    }
}

/// Redis has no code for this refusal, only its text.
fn is_not_after(error: &RedisError) -> bool {
    error.to_string().contains("equal or smaller than the target stream top item")
}
