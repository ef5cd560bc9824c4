//! The log of a build that runs, to its end.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use gitdeploy_bus::{Batch, Position};
use gitdeploy_core::{DeploymentId, Event};

use super::{Events, LogError, archive};
use crate::control::Control;

/// How long the end is held back until the catalog and the route tell it too.
const SETTLE: Duration = Duration::from_secs(30);

/// How long the bus may be behind the catalog before the archive is read instead.
const BEHIND: Duration = Duration::from_secs(5);

struct Live {
    control: Control,
    id: DeploymentId,
    seq: u64,
    source: Source,
}

enum Source {
    Bus(BoxStream<'static, Batch>),
    Archive(Events),
    Over,
}

/// The events after `position`, until the end. Whoever sees the `end` event finds the deployment final and
/// its route moved.
pub(super) fn follow(control: Control, id: DeploymentId, position: Option<Position>) -> Events {
    let batches = control.bus.follow(&id.clone().into(), position);
    let seq = position.map_or(0, |position| position.seq);
    let live = Live { control, id, seq, source: Source::Bus(batches) };
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
    async fn next(&mut self) -> Option<Result<Vec<Event>, LogError>> {
        loop {
            match &mut self.source {
                Source::Bus(batches) => {
                    let batch = tokio::select! {
                        biased;
                        batch = batches.next() => batch,
                        () = behind(&self.control, &self.id) => None,
                    };
                    let Some(batch) = batch else {
                        self.source = Source::Over;
                        match archive::read(&self.control.store, &self.id.clone().into(), self.seq).await {
                            Ok(Some(events)) => self.source = Source::Archive(events),
                            Ok(None) => {}
                            Err(error) => return Some(Err(error)),
                        }
                        continue;
                    };
                    self.seq = batch.last().map_or(self.seq, |last| last.seq);
                    if batch.end().is_some() {
                        self.source = Source::Over;
                        let settled = self.control.settled(&self.id);
                        if tokio::time::timeout(SETTLE, settled).await.is_err() {
                            tracing::warn!(deployment.id = %self.id, "the end is told before it is settled");
                        }
                    }
                    return Some(Ok(batch.events));
                }
                Source::Archive(events) => return Some(events.next().await?.map(|event| vec![event])),
                Source::Over => return None,
            }
        }
    }
}

/// Completes when the deployment has ended and the bus had the time to say so.
async fn behind(control: &Control, id: &DeploymentId) {
    control.settled(id).await;
    tokio::time::sleep(BEHIND).await;
}
