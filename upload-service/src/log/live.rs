//! The log of a build that runs, to its end.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use gitdeploy_bus::{Batch, Position};
use gitdeploy_core::{Attempt, Body, DeploymentId, End, Event, State};

use super::{Events, LogError, LogEvent, archive, told};
use crate::conclude::outcome;
use crate::control::{Control, Settled};

/// How long the end is held back until the catalog and the route tell it too.
const SETTLE: Duration = Duration::from_secs(30);

/// The same where builders are tasks: one whose machine is taken back says its end two minutes before the machine
/// is gone.
const SETTLE_OF_TASKS: Duration = Duration::from_mins(3);

/// How long the bus may be behind the catalog before the archive is read instead.
const BEHIND: Duration = Duration::from_secs(5);

struct Live {
    control: Control,
    id: DeploymentId,
    place: Position,
    source: Source,
    /// Completes when the archive is to be read because the bus is behind. Asked on from batch to batch.
    behind: BoxFuture<'static, ()>,
}

enum Source {
    Bus(BoxStream<'static, Batch>),
    Archive(Events),
    Over,
}

/// The events after `place`, until the end. Whoever sees the `end` event finds the deployment final and
/// its route moved.
pub(super) fn follow(control: Control, id: DeploymentId, place: Position) -> Events {
    let batches = control.bus.follow(&id.clone().into(), Some(place));
    let behind = Box::pin(behind(control.clone(), id.clone()));
    let live = Live { control, id, place, source: Source::Bus(batches), behind };
    stream::unfold(live, |mut live| async move { Some((live.next().await?, live)) })
        .flat_map(|events| {
            let (events, error) = match events {
                Ok(events) => (events, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            stream::iter(events.into_iter().map(Ok).chain(error))
        })
        .boxed()
}

impl Live {
    async fn next(&mut self) -> Option<Result<Vec<LogEvent>, LogError>> {
        loop {
            match &mut self.source {
                Source::Bus(batches) => {
                    let batch = tokio::select! {
                        biased;
                        batch = batches.next() => batch,
                        () = &mut self.behind => None,
                    };
                    match batch {
                        Some(batch) => return Some(Ok(self.take(batch).await)),
                        None => {
                            if let Err(error) = self.read_archive().await {
                                return Some(Err(error));
                            }
                        }
                    }
                }
                Source::Archive(events) => return Some(events.next().await?.map(|event| vec![event])),
                Source::Over => return None,
            }
        }
    }

    /// Holds the end back until everything tells it, or takes it for what it is where another attempt follows.
    async fn take(&mut self, mut batch: Batch) -> Vec<LogEvent> {
        self.place = batch.last().unwrap_or(self.place);
        if batch.end().is_some() {
            let patience = if self.control.launcher.outlives_us() { SETTLE_OF_TASKS } else { SETTLE };
            let settled = self.control.settled(&self.id, batch.attempt);
            match tokio::time::timeout(patience, settled).await {
                Ok(Settled::Again) => {
                    batch.events.iter_mut().for_each(to_notice);
                    // What follows one attempt ends with it.
                    self.place = Position::start_of(Attempt(batch.attempt.0 + 1));
                    let next = self.control.bus.follow(&self.id.clone().into(), Some(self.place));
                    self.source = Source::Bus(next);
                }
                Ok(Settled::Ended) => {
                    self.correct(&mut batch).await;
                    self.source = Source::Over;
                }
                Err(_) => {
                    tracing::warn!(deployment.id = %self.id, "the end is told before it is settled");
                    self.source = Source::Over;
                }
            }
        }
        told(batch).collect()
    }

    /// Puts what has become of the deployment in the place of what its builder has said of it, which is that it was
    /// canceled, whoever has stopped it.
    async fn correct(&mut self, batch: &mut Batch) {
        let Ok(Some(deployment)) = self.control.catalog.get(&self.id).await else { return };
        for event in &mut batch.events {
            if let Body::End(end) = &mut event.body
                && State::from(end.state) != deployment.state
                && let Some(failure) = &deployment.failure
            {
                let outcome = outcome(failure.code);
                *end = End::unsuccessful(outcome, deployment.phase, failure.clone());
            }
        }
    }

    /// Goes on with the archive, where the bus has lost what it held.
    async fn read_archive(&mut self) -> Result<(), LogError> {
        self.source = Source::Over;
        if let Ok(Some(deployment)) = self.control.catalog.get(&self.id).await
            && let Some(events) = archive::events(&self.control.store, &deployment, self.place).await?
        {
            self.source = Source::Archive(events);
        }
        Ok(())
    }
}

/// The end of an attempt that another follows is none.
fn to_notice(event: &mut Event) {
    if event.end().is_some() {
        let text = "the builder's machine was taken back: the build starts again".to_owned();
        event.body = Body::Notice { text };
    }
}

/// Completes when the deployment has ended and the bus had the time to say so.
async fn behind(control: Control, id: DeploymentId) {
    while control.settled(&id, Attempt(u64::MAX)).await != Settled::Ended {}
    tokio::time::sleep(BEHIND).await;
}
