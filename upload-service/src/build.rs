//! One build: launched, watched and brought to an end.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use gitdeploy_bus::{Batch, Position};
use gitdeploy_core::event::{Outcome, PhaseState};
use gitdeploy_core::{Body, End, Event, Failure, FailureCode, Phase};

use crate::catalog::{CatalogError, Deployment};
use crate::conclude::{Told, left_to_the_next};
use crate::control::Control;
use crate::launcher::{Build, Ended};

/// How long a builder may live on after it has said how it ended.
const LINGER: Duration = Duration::from_secs(15);

/// How long events that are on the bus may take to reach us.
const CATCH_UP: Duration = Duration::from_secs(10);

/// What was seen of a build.
#[derive(Debug, Default)]
struct Seen {
    position: Option<Position>,
    phase: Option<Phase>,
    end: Option<End>,
}

impl Control {
    /// Runs the build of a deployment that was claimed.
    pub(crate) async fn build(&self, deployment: &Deployment) {
        let working = self.active.begin(&deployment.id, &self.stopping);
        self.active.changed();
        // Somebody may have asked to cancel between the claim and now.
        if let Ok(Some(current)) = self.catalog.get(&deployment.id).await
            && current.cancel_requested
        {
            working.stop.cancel();
        }
        tracing::info!(deployment.id = %deployment.id, attempt = deployment.attempt.0, "deployment {} starts", deployment.id);
        match self.launcher.launch(&deployment.spec(), &self.bus) {
            Ok(build) => {
                let mut seen = Seen::default();
                let ended = self.watch(deployment, build, &working.stop, &mut seen).await;
                let end = match seen.end {
                    Some(end) => Ok((Told::Log, end)),
                    None => self.end_without_a_word(deployment, seen.phase, &ended).await,
                };
                let Ok((told, end)) = end else {
                    return left_to_the_next(deployment);
                };
                self.conclude(deployment, told, end, Some(&ended)).await;
            }
            Err(error) => {
                tracing::error!(deployment.id = %deployment.id, %error, "no builder");
                let failure = Failure::new(FailureCode::BuilderFailed, error.to_string())
                    .fix("check `GITDEPLOY_API_BUILDER`");
                let end = End::unsuccessful(Outcome::PlatformError, None, failure);
                self.conclude(deployment, Told::Nobody, end, None).await;
            }
        }
    }

    /// Follows a build until its builder has ended.
    async fn watch(
        &self,
        deployment: &Deployment,
        mut build: Build,
        stop: &tokio_util::sync::CancellationToken,
        seen: &mut Seen,
    ) -> Ended {
        let mut batches = self.bus.follow(&deployment.output(), None).fuse();
        let mut told_to_stop = false;
        let mut linger = pin!(tokio::time::sleep(Duration::MAX));
        let ended = loop {
            tokio::select! {
                Some(batch) = batches.next(), if seen.end.is_none() => {
                    self.observe(deployment, batch, seen).await;
                    if seen.end.is_some() {
                        linger.as_mut().reset(tokio::time::Instant::now() + LINGER);
                    }
                }
                () = stop.cancelled(), if !told_to_stop => {
                    told_to_stop = true;
                    build.stop(self.stop_grace());
                }
                () = &mut linger, if !told_to_stop => {
                    told_to_stop = true;
                    build.stop(Duration::ZERO);
                }
                ended = build.ended() => break ended,
            }
        };
        self.catch_up(deployment, batches, seen).await;
        ended
    }

    /// Reads what is on the bus but had not arrived when the builder ended.
    async fn catch_up(
        &self,
        deployment: &Deployment,
        mut batches: impl Stream<Item = Batch> + Unpin,
        seen: &mut Seen,
    ) {
        let arrive = async {
            let last = match self.bus.position(&deployment.output()).await {
                Ok(last) => last,
                Err(error) => {
                    tracing::warn!(%error, deployment.id = %deployment.id, "the bus does not say where the log ends");
                    return;
                }
            };
            while seen.end.is_none() && seen.position < last {
                let Some(batch) = batches.next().await else {
                    return;
                };
                self.observe(deployment, batch, seen).await;
            }
        };
        if tokio::time::timeout(CATCH_UP, arrive).await.is_err() {
            tracing::warn!(deployment.id = %deployment.id, "the last events of the build did not arrive in time");
        }
    }

    async fn observe(&self, deployment: &Deployment, batch: Batch, seen: &mut Seen) {
        if batch.attempt != deployment.attempt {
            return;
        }
        seen.position = batch.last().max(seen.position);
        for event in batch.events {
            if let Err(error) = self.note(deployment, &event, seen).await {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot note what a build does");
            }
            if let Body::End(end) = event.body {
                seen.end = Some(end);
            }
        }
    }

    async fn note(
        &self,
        deployment: &Deployment,
        event: &Event,
        seen: &mut Seen,
    ) -> Result<(), CatalogError> {
        match &event.body {
            Body::Phase(change) if change.state == PhaseState::Started => {
                seen.phase = Some(change.phase);
                self.catalog.advance(&deployment.id, deployment.attempt, change.phase).await?;
            }
            Body::Plan { decisions } => {
                if let Some(commit) = decisions.iter().find(|decision| decision.name == "commit") {
                    let commit = commit.value.clone();
                    self.catalog.learn_commit(&deployment.id, deployment.attempt, commit).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
