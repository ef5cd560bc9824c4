//! One build: launched, watched and brought to an end.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use gitdeploy_bus::{Batch, Position};
use gitdeploy_core::event::{Outcome, PhaseState};
use gitdeploy_core::{Body, DeploymentId, End, Event, Failure, FailureCode, Manifest, Phase, State, keys};
use gitdeploy_store::StoreError;
use jiff::Timestamp;

use crate::catalog::{CatalogError, Deployment, Ending, Finished};
use crate::control::Control;
use crate::launcher::{Build, Ended, STOP_GRACE};
use crate::log::archive;

/// How long a builder may live on after it has said how it ended.
const LINGER: Duration = Duration::from_secs(15);

/// How long events that are on the bus may take to reach us.
const CATCH_UP: Duration = Duration::from_secs(10);

/// How long to wait before something that failed is tried again, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The largest manifest that is read, in bytes.
const MANIFEST_LIMIT: u64 = 256 << 20;

/// Who knows already how a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The builder has written it to the log.
    Log,
    /// Nobody: the log needs its last event.
    Nobody,
}

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
                let (told, end) = self.end_of(deployment, seen, &ended).await;
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
        let mut batches = self.bus.follow(&deployment.output(), None);
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

    /// A process that is told to stop has less time than one that cancels a build, and needs a second of it
    /// to write the end.
    fn stop_grace(&self) -> Duration {
        if self.stopping.is_cancelled() {
            let grace = Duration::from_secs(self.config.grace_seconds);
            grace.saturating_sub(Duration::from_secs(2)).max(grace / 2)
        } else {
            STOP_GRACE
        }
    }

    /// Reads what is on the bus but had not arrived when the builder ended.
    async fn catch_up(
        &self,
        deployment: &Deployment,
        mut batches: BoxStream<'static, Batch>,
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

    /// How a build ended: as it said itself, as its log in the store says where the bus was away, or
    /// without a word.
    async fn end_of(&self, deployment: &Deployment, seen: Seen, ended: &Ended) -> (Told, End) {
        if let Some(end) = seen.end {
            return (Told::Log, end);
        }
        if let Some(end) = self.archived_end(&deployment.id).await {
            return (Told::Log, end);
        }
        let canceled = matches!(
            self.catalog.get(&deployment.id).await,
            Ok(Some(Deployment { cancel_requested: true, .. }))
        );
        if canceled {
            let failure = Failure::new(FailureCode::Canceled, "the deployment was canceled");
            return (Told::Nobody, End::unsuccessful(Outcome::Canceled, seen.phase, failure));
        }
        let failure = if self.stopping.is_cancelled() {
            stopped()
        } else {
            let mut cause = format!("the builder ended without a word: {}", ended.reason);
            if let Some(last_words) = &ended.last_words {
                cause = format!("{cause}; the last thing it said was `{}`", crate::log::plain(last_words));
            }
            let fix = "deploy again; when it happens again, look at the log of the upload service";
            Failure::new(FailureCode::BuilderLost, cause).fix(fix)
        };
        (Told::Nobody, End::unsuccessful(Outcome::Lost, seen.phase, failure))
    }

    /// The end that the archive of the log tells, if there is an archive.
    pub(crate) async fn archived_end(&self, id: &DeploymentId) -> Option<End> {
        let output = id.clone().into();
        let end = persist("read the archive of the log", || archive::end(&self.store, &output));
        tokio::select! {
            end = end => end,
            () = self.gave_up() => None,
        }
    }

    /// Brings a deployment to its end: in the log, in the catalog and in its project's route.
    pub(crate) async fn conclude(
        &self,
        deployment: &Deployment,
        told: Told,
        end: End,
        ended: Option<&Ended>,
    ) {
        let (ending, end) = self.ending(deployment, end).await;
        if told == Told::Nobody {
            self.tell_end(deployment, end).await;
        }
        let finish = persist("note the end of a build", || {
            self.catalog.finish(&deployment.id, deployment.attempt, ending.clone(), Timestamp::now())
        });
        let finished = tokio::select! {
            finished = finish => finished,
            () = self.gave_up() => return,
        };
        if finished == Finished::Refused {
            return;
        }
        tracing::info!(
            deployment.id = %deployment.id,
            deployment.state = %ending.state,
            failure.code = ending.failure.as_ref().map(|failure| failure.code.as_str()),
            builder = ended.map(|ended| ended.reason.as_str()),
            promoted = finished == Finished::Promoted,
            "deployment {} is {}",
            deployment.id,
            ending.state
        );
        if finished == Finished::Promoted {
            self.settle_route(&deployment.project).await;
        }
        if ending.state == State::Ready
            && deployment.source != crate::catalog::SourceKind::Git
            && let Err(error) = self.store.delete(&keys::upload(&deployment.id)).await
        {
            tracing::warn!(%error, deployment.id = %deployment.id, "the uploaded archive stays");
        }
    }

    /// What an end means for the catalog. One that says `ready` is believed only if the manifest is there.
    async fn ending(&self, deployment: &Deployment, end: End) -> (Ending, End) {
        let mut ending = Ending {
            state: end.state.into(),
            phase: end.phase,
            files: end.files,
            bytes: end.bytes,
            failure: end.failure.clone(),
            origin: gitdeploy_core::manifest::Origin::default(),
        };
        if ending.state != State::Ready {
            return (ending, end);
        }
        let manifest = tokio::select! {
            manifest = persist("read the manifest", || self.manifest(&deployment.id)) => manifest,
            () = self.gave_up() => None,
        };
        if let Some(manifest) = manifest {
            ending.files = Some(manifest.files.len() as u64);
            ending.bytes = Some(manifest.bytes());
            ending.origin = manifest.origin;
            return (ending, end);
        }
        let failure = Failure::new(
            FailureCode::BuilderLost,
            "the builder said that it had published, but there is no manifest",
        )
        .fix("deploy again");
        ending.state = State::Lost;
        ending.failure = Some(failure.clone());
        (ending, End::unsuccessful(Outcome::Lost, Some(Phase::Upload), failure))
    }

    /// The manifest of a deployment, if it is complete.
    pub(crate) async fn manifest(&self, id: &DeploymentId) -> Result<Option<Manifest>, StoreError> {
        let bytes = match self.store.read(&keys::manifest(&id.clone().into()), MANIFEST_LIMIT).await {
            Ok((_, bytes)) => bytes,
            Err(StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest = serde_json::from_slice(&bytes);
        Ok(manifest
            .inspect_err(|error| tracing::error!(%error, deployment.id = %id, "a manifest makes no sense"))
            .ok())
    }

    /// Completes when the process was told to stop and its grace is nearly over: what is not done by then is
    /// left to the next process.
    async fn gave_up(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(self.stop_grace() + Duration::from_secs(1)).await;
    }
}

/// Why a build is lost when the service stops under it.
pub(crate) fn stopped() -> Failure {
    Failure::new(FailureCode::BuilderLost, "the service was stopped while it was building")
        .fix("deploy again")
}

/// Tries until it succeeds, with pauses that grow.
pub(crate) async fn persist<T, E: std::error::Error + 'static, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let mut pause = Duration::from_millis(250);
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot {what}; trying again");
            }
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}
