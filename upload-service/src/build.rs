//! One build: launched, watched and brought to an end, or left to another process.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use gitdeploy_bus::{Batch, Position};
use gitdeploy_core::event::{Outcome, PhaseState};
use gitdeploy_core::{Attempt, Body, BuildSpec, End, Event, Phase, State};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::again::Again;
use crate::catalog::{CatalogError, Deployment};
use crate::conclude::{Told, left_to_the_next};
use crate::control::Control;
use crate::launcher::{Build, Ended, LaunchError, Order};
use crate::lease::Lease;

/// How long a builder may live on after it has said how it ended.
const LINGER: Duration = Duration::from_secs(15);

/// How long a launch that is on its way may take when its build is canceled.
const LAUNCH_GRACE: Duration = Duration::from_secs(15);

/// How long events that are on the bus may take to reach us.
const CATCH_UP: Duration = Duration::from_secs(10);

/// What was seen of a build.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) position: Option<Position>,
    pub(crate) phase: Option<Phase>,
    pub(crate) end: Option<End>,
}

/// How the watch over a build ended.
enum Watched {
    /// The build has ended.
    Ended(Ended),
    /// There is no builder.
    NotStarted(LaunchError),
    /// Somebody else has brought it to its end, or looks after its next attempt.
    Elsewhere,
    /// This process stops and the builder does not: another process goes on.
    Left,
}

impl Control {
    /// Runs the build of a deployment that was claimed, or watches on over one that was taken over.
    pub(crate) async fn build(&self, deployment: &Deployment) {
        let working = self.begin(&deployment.id);
        self.active.changed();
        let lease = Lease::keep(self, deployment, &working.stop);
        let mut seen = Seen::default();
        let watching = self.launch_and_watch(deployment, &working.stop, &lease, &mut seen);
        let (watched, ()) = tokio::join!(watching, self.show_status(deployment, State::Building, None));
        match watched {
            Watched::Ended(ended) => self.after_builder(deployment, seen, &ended, &working.stop).await,
            Watched::NotStarted(error) => {
                tracing::error!(deployment.id = %deployment.id, %error, "no builder");
                let ended = Ended { failure: Some(error.failure), ..Ended::because("not started") };
                self.after_builder(deployment, seen, &ended, &working.stop).await;
            }
            Watched::Elsewhere => {
                tracing::info!(deployment.id = %deployment.id, "another process has seen to this build");
            }
            Watched::Left => {
                drop(lease);
                self.leave(deployment).await;
            }
        }
    }

    /// What the builder of a deployment is told. If production moves while it runs, what it knows of it is old and
    /// still true; without it, more is made again.
    pub(crate) async fn spec(&self, deployment: &Deployment) -> BuildSpec {
        let production = match self.catalog.production(&deployment.project).await {
            Ok(production) => production,
            Err(error) => {
                tracing::debug!(%error, deployment.id = %deployment.id, "what is in production is not known");
                None
            }
        };
        let previous = production.filter(|production| *production != deployment.id);
        let url = Some(self.config.sites_url.of(deployment.id.as_str()));
        BuildSpec { url, previous, ..deployment.spec() }
    }

    /// Brings a deployment whose builder is gone to its end, or to its next attempt.
    async fn after_builder(
        &self,
        deployment: &Deployment,
        mut seen: Seen,
        ended: &Ended,
        stop: &CancellationToken,
    ) {
        match self.starts_again(deployment, &seen, ended).await {
            Ok(Again::Yes) => return,
            Ok(Again::No) => {}
            Err(_) => return left_to_the_next(deployment),
        }
        if self.launcher.outlives_us() {
            // Then how its task has ended says more.
            seen.end = seen.end.filter(|end| is_believed(end, stop));
        }
        let end = match seen.end {
            Some(end) => Ok((Told::Log, end)),
            None => self.end_without_a_word(deployment, seen.phase, ended).await,
        };
        match end {
            Ok((told, end)) => self.conclude(deployment, told, end, Some(ended)).await,
            Err(_) => left_to_the_next(deployment),
        }
    }

    async fn launch_and_watch(
        &self,
        deployment: &Deployment,
        stop: &CancellationToken,
        lease: &Lease,
        seen: &mut Seen,
    ) -> Watched {
        let order = Order {
            spec: self.spec(deployment).await,
            ticket: self.lender.as_ref().map(|lender| lender.ticket(deployment)),
            keep: deployment.attempt > Attempt::FIRST,
            task: deployment.task.clone(),
        };
        let mut launching = pin!(self.launcher.launch(&order, &self.bus));
        let launched = tokio::select! {
            launched = &mut launching => launched,
            () = stop.cancelled() => match tokio::time::timeout(LAUNCH_GRACE, launching).await {
                Ok(launched) => launched,
                // A builder that is started all the same finds nothing to claim, and is swept away.
                Err(_) => return Watched::Ended(Ended::because("it was canceled before it was started")),
            },
            () = lease.lost() => return Watched::Elsewhere,
            () = self.leaving() => return Watched::Left,
        };
        let build = match launched {
            Ok(build) => build,
            Err(error) => return Watched::NotStarted(error),
        };
        if let Some(task) = build.task()
            && let Err(error) =
                self.catalog.learn_task(&deployment.id, deployment.attempt, task.to_owned()).await
        {
            // It only shows where the builder runs: whoever takes over finds the task without it.
            tracing::warn!(error = &error as &dyn std::error::Error, task.arn = task, "a task is not noted");
        }
        self.watch(deployment, build, stop, lease, seen).await
    }

    /// Follows a build until its builder has ended.
    async fn watch(
        &self,
        deployment: &Deployment,
        mut build: Build,
        stop: &CancellationToken,
        lease: &Lease,
        seen: &mut Seen,
    ) -> Watched {
        // What an earlier attempt has said may be there still, its end among it.
        let begin = Position::start_of(deployment.attempt);
        let mut batches = self.bus.follow(&deployment.output(), Some(begin)).fuse();
        let mut told_to_stop = false;
        let mut linger = pin!(tokio::time::sleep(Duration::MAX));
        let ended = loop {
            tokio::select! {
                Some(batch) = batches.next(), if seen.end.is_none() => {
                    self.observe(deployment, batch, seen).await;
                    let Some(end) = &seen.end else { continue };
                    // Where builders outlive us, a task may take half a minute to be gone when all is said.
                    if self.launcher.outlives_us() && is_believed(end, stop) {
                        return Watched::Ended(Ended::because("it said so"));
                    }
                    linger.as_mut().reset(tokio::time::Instant::now() + LINGER);
                }
                () = stop.cancelled(), if !told_to_stop => {
                    told_to_stop = true;
                    build.stop(self.stop_grace());
                }
                () = &mut linger, if !told_to_stop && !self.launcher.outlives_us() => {
                    told_to_stop = true;
                    build.stop(Duration::ZERO);
                }
                () = lease.lost() => return Watched::Elsewhere,
                () = self.leaving() => return Watched::Left,
                ended = build.ended() => break ended,
            }
        };
        self.catch_up(deployment, batches, seen).await;
        Watched::Ended(ended)
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

    /// Lets go of a build, so that another process takes over at once.
    async fn leave(&self, deployment: &Deployment) {
        tracing::info!(deployment.id = %deployment.id, "the build is left to another process");
        let over = self.catalog.renew(&deployment.id, deployment.attempt, Timestamp::now());
        if let Err(error) = over.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the lease runs out by itself");
        }
    }

    /// Completes when this process stops and its builders do not.
    async fn leaving(&self) {
        if self.launcher.outlives_us() {
            self.stopping.cancelled().await;
        } else {
            std::future::pending::<()>().await;
        }
    }
}

/// A builder that is told to stop says that it was canceled, whoever told it: we, or somebody who takes the
/// machine back. Then only how its task ended tells.
pub(crate) fn is_believed(end: &End, stop: &CancellationToken) -> bool {
    end.state != Outcome::Canceled || stop.is_cancelled()
}
