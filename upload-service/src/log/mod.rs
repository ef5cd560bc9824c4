//! The log of a deployment: from the bus while its build runs, from the archive afterwards.

pub(crate) mod archive;
mod end;
mod live;
mod plain;

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use gitdeploy_bus::{Batch, Position};
use gitdeploy_core::{Attempt, Event};
use serde::{Deserialize, Serialize};

pub(crate) use archive::LogError;
pub(crate) use plain::{line, plain};

use crate::catalog::Deployment;
use crate::control::Control;

/// How long the bus may take to hand out what it holds.
const SNAPSHOT: Duration = Duration::from_secs(20);

/// An event as it is told to whoever reads a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEvent {
    /// The attempt that it belongs to; it is told of any but the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: Attempt,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// Events as they come. After an error nothing follows.
pub(crate) type Events = BoxStream<'static, Result<LogEvent, LogError>>;

/// Whether a reader waits for what is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Until the end of the build.
    UntilEnd,
    /// Only what is there.
    No,
}

impl Control {
    /// The events of a deployment after `place`. Of an attempt that another has followed only those are shown
    /// that a reader has seen already.
    pub(crate) async fn events(
        &self,
        deployment: &Deployment,
        place: Position,
        follow: Follow,
    ) -> Result<Events, LogError> {
        let settled = deployment.state.is_final() && !self.active.contains(&deployment.id);
        if settled && let Some(events) = archive::events(&self.store, deployment, place).await? {
            return Ok(events);
        }
        if settled || follow == Follow::No {
            return Ok(self.held_by_bus(deployment, place).await?);
        }
        Ok(live::follow(self.clone(), deployment.id.clone(), place))
    }

    /// What the bus holds now.
    async fn held_by_bus(
        &self,
        deployment: &Deployment,
        place: Position,
    ) -> Result<Events, gitdeploy_bus::BusError> {
        let output = deployment.output();
        let Some(last) = self.bus.position(&output).await?.filter(|last| *last > place) else {
            return Ok(stream::empty().boxed());
        };
        let events = self
            .bus
            .follow(&output, Some(place))
            .flat_map(|batch| stream::iter(told(batch)))
            .take_while(move |event| std::future::ready(event.position() <= last))
            .scan(false, move |done, event| {
                let next = (!*done).then_some(event);
                *done |= next.as_ref().is_some_and(|event| event.position() == last);
                std::future::ready(next)
            })
            .map(Ok)
            .take_until(tokio::time::sleep(SNAPSHOT));
        Ok(events.boxed())
    }
}

impl LogEvent {
    /// Its place in the log.
    pub fn position(&self) -> Position {
        Position { attempt: self.attempt, seq: self.event.seq }
    }

    /// The event as one line of JSON, without the line end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has only text keys")
    }
}

/// The events of a batch, as they are told.
fn told(batch: Batch) -> impl Iterator<Item = LogEvent> {
    batch.events.into_iter().map(move |event| LogEvent { attempt: batch.attempt, event })
}

fn first() -> Attempt {
    Attempt::FIRST
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_first(attempt: &Attempt) -> bool {
    *attempt <= Attempt::FIRST
}
