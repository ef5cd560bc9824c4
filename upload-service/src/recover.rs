//! Builds that nobody looks after: the process that did has ended, or cannot be heard of.

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{End, State};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::catalog::{CatalogError, Deployment};
use crate::conclude::{LeftToTheNext, Told, canceled_by_request, left_to_the_next, stopped};
use crate::control::Control;
use crate::launcher::RunningTask;
use crate::lease::{self, Lease};

/// How long a builder that has said how it ended may take to be gone.
const GOING: SignedDuration = SignedDuration::from_secs(60);

impl Control {
    /// Takes over every build whose lease has run out. Says whether the catalog could be asked.
    pub(crate) async fn adopt_orphans(&self, builds: &mut JoinSet<()>) -> bool {
        let adopted = self.try_to_adopt(builds).await;
        if let Err(error) = &adopted {
            tracing::error!(error = error as &dyn std::error::Error, "cannot look for unfinished builds");
        }
        adopted.is_ok()
    }

    async fn try_to_adopt(&self, builds: &mut JoinSet<()>) -> Result<(), CatalogError> {
        let now = Timestamp::now();
        for orphan in self.catalog.running().await? {
            let looked_after = orphan.lease.is_some_and(|lease| lease > now);
            if looked_after || self.active.contains(&orphan.id) {
                continue;
            }
            if let Some(deployment) = self.catalog.take_over(&orphan, now, lease::from_now()).await? {
                tracing::info!(deployment.id = %deployment.id, "the build of {} is taken over", deployment.id);
                let control = self.clone();
                builds.spawn(async move { control.for_sure(&deployment, Self::resume).await });
            }
        }
        Ok(())
    }

    /// Goes on where the process that looked after a build has stopped.
    async fn resume(self, deployment: Deployment) {
        let working = self.begin(&deployment.id);
        let lease = Lease::keep(&self, &deployment, &working.stop);
        let became = tokio::select! {
            became = self.what_became_of(&deployment) => became,
            () = lease.lost() => return,
            () = self.stopping.cancelled() => Err(LeftToTheNext),
        };
        match became {
            Ok(Some((told, end))) => self.conclude(&deployment, told, end, None).await,
            Ok(None) => self.build(&deployment).await,
            Err(LeftToTheNext) => left_to_the_next(&deployment),
        }
        drop(working);
    }

    /// How a build ended, unless its builder still runs. The archived log is the truth of what has ended, the
    /// manifest of what is published.
    async fn what_became_of(&self, deployment: &Deployment) -> Result<Option<(Told, End)>, LeftToTheNext> {
        let outlives = self.launcher.outlives_us();
        if let Some(end) = self.archived_end(&deployment.id).await? {
            // A builder whose machine is taken back says that it was canceled. How its task ended tells more.
            let asked = deployment.cancel_requested || end.state != Outcome::Canceled;
            if asked || !outlives {
                return Ok(Some((Told::Log, end)));
            }
        }
        if let Some(end) = self.published_end(deployment).await? {
            return Ok(Some((Told::Nobody, end)));
        }
        if outlives {
            return Ok(None);
        }
        let end = if deployment.cancel_requested {
            End::unsuccessful(Outcome::Canceled, deployment.phase, canceled_by_request())
        } else {
            End::unsuccessful(Outcome::Lost, deployment.phase, stopped())
        };
        Ok(Some((Told::Nobody, end)))
    }

    /// Stops builders whose deployment has ended without them: one that was started while it was canceled, or
    /// that hangs.
    pub(crate) async fn sweep_strays(&self) {
        for task in self.launcher.running_tasks().await {
            match self.catalog.get(&task.deployment).await {
                Ok(Some(deployment)) if is_stray(&task, &deployment, Timestamp::now()) => {
                    tracing::warn!(deployment.id = %deployment.id, task.arn = task.task, "a builder that nobody needs is stopped");
                    self.launcher.stop_task(&task.task, "its deployment has ended").await;
                }
                // What the catalog does not know may belong to another platform.
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, deployment.id = %task.deployment, "cannot tell whether a builder is needed");
                }
            }
        }
    }
}

fn is_stray(task: &RunningTask, deployment: &Deployment, now: Timestamp) -> bool {
    let ended = deployment.finished.is_some_and(|finished| finished + GOING < now);
    let waits_again = deployment.state == State::Queued && task.attempt == deployment.attempt;
    ended || task.attempt < deployment.attempt || waits_again
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::manifest::Origin;
    use gitdeploy_core::spec::BuildSettings;
    use gitdeploy_core::{Attempt, Failure, FailureCode};

    use super::*;
    use crate::catalog::{Catalog, NewDeployment, SourceKind, Target};

    #[tokio::test]
    async fn a_builder_is_a_stray_once_nobody_needs_it() {
        let (catalog, now) = (Catalog::memory().unwrap(), Timestamp::from_second(1_795_219_200).unwrap());
        let new = NewDeployment {
            id: "06gzr1vtp7njn36zcgxy".parse().unwrap(),
            project: "blog".parse().unwrap(),
            target: Target::Production,
            source: SourceKind::Git,
            origin: Origin::default(),
            settings: BuildSettings::default(),
            created: now,
        };
        let id = catalog.create(new).await.unwrap().id;
        let task = |attempt| RunningTask {
            task: "task".to_owned(),
            deployment: id.clone(),
            attempt: Attempt(attempt),
        };
        let deployment = catalog.claim_oldest(now, now + GOING).await.unwrap().unwrap();
        assert!(!is_stray(&task(1), &deployment, now));

        assert!(catalog.restart(&id, Attempt(1)).await.unwrap());
        let waits = catalog.get(&id).await.unwrap().unwrap();
        assert!(is_stray(&task(1), &waits, now));
        let again = catalog.claim_oldest(now, now + GOING).await.unwrap().unwrap();
        assert!(is_stray(&task(1), &again, now));
        assert!(!is_stray(&task(2), &again, now));

        let ending = crate::catalog::Ending {
            state: State::Failed,
            phase: None,
            files: None,
            bytes: None,
            failure: Some(Failure::new(FailureCode::BuilderLost, "lost")),
            origin: Origin::default(),
        };
        catalog.finish(&id, Attempt(2), ending, now).await.unwrap();
        let ended = catalog.get(&id).await.unwrap().unwrap();
        assert!(!is_stray(&task(2), &ended, now + GOING), "it may take a while to be gone");
        assert!(is_stray(&task(2), &ended, now + GOING + SignedDuration::from_secs(1)));
    }
}
