//! The log of a deployment: from the bus while its build runs, from the archive afterwards.

pub(crate) mod archive;
mod end;
mod live;
mod plain;

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use gitdeploy_bus::Position;
use gitdeploy_core::{Attempt, Event};

pub(crate) use archive::LogError;
pub(crate) use plain::{line, plain};

use crate::catalog::Deployment;
use crate::control::Control;

/// How long the bus may take to hand out what it holds.
const SNAPSHOT: Duration = Duration::from_secs(20);

/// Events as they come. After an error nothing follows.
pub(crate) type Events = BoxStream<'static, Result<Event, LogError>>;

/// Whether a reader waits for what is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Until the end of the build.
    UntilEnd,
    /// Only what is there.
    No,
}

impl Control {
    /// The events of a deployment after `seq`.
    pub(crate) async fn events(
        &self,
        deployment: &Deployment,
        seq: u64,
        follow: Follow,
    ) -> Result<Events, LogError> {
        let settled = deployment.state.is_final() && !self.active.contains(&deployment.id);
        if settled && let Some(events) = archive::read(&self.store, &deployment.output(), seq).await? {
            return Ok(events);
        }
        if settled || follow == Follow::No {
            return Ok(self.held_by_bus(deployment, seq).await?);
        }
        Ok(live::follow(self.clone(), deployment.id.clone(), after(deployment, seq)))
    }

    /// What the bus holds now.
    async fn held_by_bus(
        &self,
        deployment: &Deployment,
        seq: u64,
    ) -> Result<Events, gitdeploy_bus::BusError> {
        let output = deployment.output();
        let last = self.bus.position(&output).await?.map_or(0, |position| position.seq);
        let count = usize::try_from(last.saturating_sub(seq)).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(stream::empty().boxed());
        }
        let events = self
            .bus
            .follow(&output, after(deployment, seq))
            .flat_map(|batch| stream::iter(batch.events.into_iter().map(Ok)))
            .take(count)
            .take_until(tokio::time::sleep(SNAPSHOT));
        Ok(events.boxed())
    }
}

fn after(deployment: &Deployment, seq: u64) -> Option<Position> {
    (seq > 0).then(|| Position { attempt: deployment.attempt.max(Attempt::FIRST), seq })
}
