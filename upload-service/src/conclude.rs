//! How a build came to its end, and everything that is told of it: in the log, in the catalog, in the route.

use std::time::Duration;

use gitdeploy_core::event::Outcome;
use gitdeploy_core::manifest::{self, Manifest, Origin};
use gitdeploy_core::{DeploymentId, End, Failure, FailureCode, Phase, State, keys};
use gitdeploy_store::StoreError;
use jiff::Timestamp;

use crate::catalog::{Deployment, Ending, Finished, SourceKind};
use crate::control::Control;
use crate::launcher::Ended;
use crate::log::archive;
use crate::persist::Unanswered;
use crate::problem::chain;

/// How long what nobody needs any more may take to be removed.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// Who knows already how a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The builder has written it to the log.
    Log,
    /// Nobody: the log needs its last event.
    Nobody,
}

/// This process has to stop before it could find out how a build ended. The catalog is left as it is, and
/// the next process asks again: "could not ask" is not "there is none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftToTheNext;

impl Control {
    /// How a build ended whose builder has not said it: as its log in the store says where the bus was away, as
    /// its manifest says where it was killed at the very end, or without a word.
    pub(crate) async fn end_without_a_word(
        &self,
        deployment: &Deployment,
        phase: Option<Phase>,
        ended: &Ended,
    ) -> Result<(Told, End), LeftToTheNext> {
        let canceled = matches!(
            self.catalog.get(&deployment.id).await,
            Ok(Some(Deployment { cancel_requested: true, .. }))
        );
        if let Some(end) = self.archived_end(&deployment.id).await? {
            // A builder that is told to stop says that it was canceled, whoever told it.
            let stopped_by_others =
                end.state == Outcome::Canceled && !canceled && self.launcher.outlives_us();
            if !stopped_by_others {
                return Ok((Told::Log, end));
            }
        }
        if let Some(end) = self.published_end(deployment).await? {
            return Ok((Told::Nobody, end));
        }
        if canceled {
            return Ok((Told::Nobody, End::unsuccessful(Outcome::Canceled, phase, canceled_by_request())));
        }
        if let Some(failure) = &ended.failure {
            let outcome = outcome(failure.code);
            return Ok((Told::Nobody, End::unsuccessful(outcome, phase, failure.clone())));
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
        Ok((Told::Nobody, End::unsuccessful(Outcome::Lost, phase, failure)))
    }

    /// The end that the archive of the log tells, if there is an archive. To whoever may not list a bucket
    /// S3 refuses what is missing too.
    pub(crate) async fn archived_end(&self, id: &DeploymentId) -> Result<Option<End>, LeftToTheNext> {
        let output = id.clone().into();
        match self.persist("read the archive of the log", || archive::end(&self.store, &output)).await {
            Ok(end) => Ok(end),
            Err(Unanswered::Refused(_)) => Ok(None),
            Err(Unanswered::Stopping) => Err(LeftToTheNext),
        }
    }

    /// The end that the manifest tells, if this attempt has written one: it is the truth of what is published.
    /// What is refused is taken to be missing, as in [`Control::archived_end`].
    pub(crate) async fn published_end(&self, deployment: &Deployment) -> Result<Option<End>, LeftToTheNext> {
        match self.persist("read a manifest", || self.manifest(&deployment.id)).await {
            Ok(Some(manifest)) if manifest.attempt == deployment.attempt => {
                Ok(Some(End::ready(manifest.files.len() as u64, manifest.bytes())))
            }
            Ok(_) | Err(Unanswered::Refused(_)) => Ok(None),
            Err(Unanswered::Stopping) => Err(LeftToTheNext),
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
        let Ok((ending, end)) = self.ending(deployment, end).await else {
            return left_to_the_next(deployment);
        };
        if told == Told::Nobody {
            self.tell_end(deployment, end).await;
        }
        let finish = self.persist("note the end of a build", || {
            self.catalog.finish(&deployment.id, deployment.attempt, ending.clone(), Timestamp::now())
        });
        let finished = match finish.await {
            Ok(Finished::Refused) => return self.was_concluded(deployment).await,
            Ok(finished) => finished,
            Err(_) => return left_to_the_next(deployment),
        };
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
        self.show_status(deployment, ending.state, ending.failure.as_ref()).await;
        self.discard_upload(deployment).await;
        self.take_back(deployment).await;
    }

    /// What follows for a deployment that had ended before: perhaps by a call of ours whose answer was lost.
    async fn was_concluded(&self, deployment: &Deployment) {
        match self.catalog.get(&deployment.id).await {
            Ok(Some(ended)) if ended.state.is_final() => {
                if ended.production {
                    self.settle_route(&ended.project).await;
                }
                self.show_status(&ended, ended.state, ended.failure.as_ref()).await;
            }
            Ok(_) => {}
            // Routes that differ from the catalog are repaired at the next start.
            Err(error) => {
                tracing::warn!(%error, deployment.id = %deployment.id, "a route is not looked after");
            }
        }
        self.take_back(deployment).await;
    }

    /// Takes back what the builder of the current attempt was lent.
    pub(crate) async fn take_back(&self, deployment: &Deployment) {
        if let Some(lender) = &self.lender
            && tokio::time::timeout(CLEAN_UP, lender.end(deployment)).await.is_err()
        {
            tracing::warn!(deployment.id = %deployment.id, "a builder's loan is not taken back: the bus did not answer");
        }
    }

    /// Removes the uploaded archive of a deployment that has ended. One that cannot be removed stays.
    pub(crate) async fn discard_upload(&self, deployment: &Deployment) {
        if deployment.source == SourceKind::Git {
            return;
        }
        let key = keys::upload(&deployment.id);
        let reason = match tokio::time::timeout(CLEAN_UP, self.store.delete(&key)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => chain(&error),
            Err(_) => "the store did not answer".to_owned(),
        };
        tracing::warn!(reason, deployment.id = %deployment.id, "the uploaded archive stays");
    }

    /// What an end means for the catalog. One that says `ready` is believed only if the manifest is there.
    async fn ending(&self, deployment: &Deployment, end: End) -> Result<(Ending, End), LeftToTheNext> {
        if State::from(end.state) != State::Ready {
            return Ok((ending(&end), end));
        }
        let told = match self.persist("read the manifest", || self.manifest(&deployment.id)).await {
            Ok(Some(manifest)) => {
                let ending = Ending {
                    files: Some(manifest.files.len() as u64),
                    bytes: Some(manifest.bytes()),
                    origin: manifest.origin,
                    ..ending(&end)
                };
                return Ok((ending, end));
            }
            Ok(None) => {
                let cause = "the builder said that it had published, but there is no manifest";
                let failure = Failure::new(FailureCode::BuilderLost, cause).fix("deploy again");
                End::unsuccessful(Outcome::Lost, Some(Phase::Upload), failure)
            }
            Err(Unanswered::Refused(error)) => unreadable(&error),
            Err(Unanswered::Stopping) => return Err(LeftToTheNext),
        };
        Ok((Ending { files: end.files, bytes: end.bytes, ..ending(&told) }, told))
    }

    /// The manifest of a deployment, if it is complete.
    pub(crate) async fn manifest(&self, id: &DeploymentId) -> Result<Option<Manifest>, StoreError> {
        let bytes = match self.store.read(&keys::manifest(&id.clone().into()), manifest::LARGEST).await {
            Ok((_, bytes)) => bytes,
            Err(StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest = serde_json::from_slice(&bytes);
        Ok(manifest
            .inspect_err(|error| tracing::error!(%error, deployment.id = %id, "a manifest makes no sense"))
            .ok())
    }
}

/// How a build ended of which only the launcher knows why.
pub(crate) fn outcome(code: FailureCode) -> Outcome {
    match code {
        FailureCode::BuilderTimeout => Outcome::TimedOut,
        FailureCode::Canceled => Outcome::Canceled,
        FailureCode::BuilderReclaimed | FailureCode::BuilderStopped | FailureCode::BuilderLost => {
            Outcome::Lost
        }
        _ => Outcome::PlatformError,
    }
}

/// What the end says as it stands.
fn ending(end: &End) -> Ending {
    Ending {
        state: end.state.into(),
        phase: end.phase,
        files: end.files,
        bytes: end.bytes,
        failure: end.failure.clone(),
        origin: Origin::default(),
    }
}

/// The end of a deployment about which the store does not say whether it was published.
pub(crate) fn unreadable(error: &StoreError) -> End {
    let cause = format!("the manifest cannot be read: {}", chain(error));
    let failure = Failure::new(FailureCode::StoreUnavailable, cause)
        .fix("look at the rights that the upload service has in the store, then deploy again");
    End::unsuccessful(Outcome::PlatformError, Some(Phase::Upload), failure)
}

/// Why a build is lost when the service stops under it.
pub(crate) fn stopped() -> Failure {
    Failure::new(FailureCode::BuilderLost, "the service was stopped while it was building")
        .fix("deploy again")
}

/// Why a deployment is not ready that somebody canceled.
pub(crate) fn canceled_by_request() -> Failure {
    Failure::new(FailureCode::Canceled, "the deployment was canceled")
}

/// Says that a deployment stays as it is until a process can ask what became of it.
pub(crate) fn left_to_the_next(deployment: &Deployment) {
    tracing::warn!(
        deployment.id = %deployment.id,
        "how deployment {} ended is found out at the next start",
        deployment.id
    );
}
