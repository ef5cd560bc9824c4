//! When builds start: the oldest first, a few at the same time, one of a project.

use std::time::Duration;

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{End, Failure, FailureCode};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::catalog::Deployment;
use crate::conclude::Told;
use crate::control::Control;

/// How long to wait when the catalog fails.
const PAUSE: Duration = Duration::from_secs(1);

impl Control {
    /// Finishes what an earlier process left, then runs builds until the word to stop, and ends after the
    /// last of them.
    pub async fn run_builds(&self) {
        self.recover().await;
        let mut routes = JoinSet::new();
        routes.spawn({
            let control = self.clone();
            async move { control.repair_routes().await }
        });
        let mut builds = JoinSet::new();
        while !self.stopping.is_cancelled() {
            let pause = self.launch_waiting(&mut builds).await;
            tokio::select! {
                () = self.wake.notified() => {}
                () = self.stopping.cancelled() => {}
                Some(ended) = builds.join_next(), if !builds.is_empty() => note_panic(ended),
                () = tokio::time::sleep(pause) => {}
            }
        }
        while let Some(ended) = builds.join_next().await {
            note_panic(ended);
        }
    }

    /// Starts as many builds as may run. Says after how long to look again at the latest.
    async fn launch_waiting(&self, builds: &mut JoinSet<()>) -> Duration {
        while builds.len() < self.config.builds_at_once.get() {
            match self.catalog.claim_oldest(Timestamp::now()).await {
                Ok(Some(deployment)) => {
                    let control = self.clone();
                    builds.spawn(async move { control.build_for_sure(deployment).await });
                }
                Ok(None) => return Duration::MAX,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "cannot ask for waiting deployments"
                    );
                    return PAUSE;
                }
            }
        }
        Duration::MAX
    }

    /// Builds a deployment. Whatever happens, it comes to an end.
    async fn build_for_sure(&self, deployment: Deployment) {
        let build = AbortOnDropHandle::new(tokio::spawn({
            let (control, deployment) = (self.clone(), deployment.clone());
            async move { control.build(&deployment).await }
        }));
        if let Err(error) = build.await {
            tracing::error!(deployment.id = %deployment.id, %error, "the watch over a build failed");
            let failure = Failure::new(
                FailureCode::BuilderLost,
                "the upload service failed while it watched the build",
            )
            .fix("deploy again");
            let working = self.active.begin(&deployment.id, &self.stopping);
            let end = End::unsuccessful(Outcome::Lost, None, failure);
            self.conclude(&deployment, Told::Nobody, end, None).await;
            drop(working);
        }
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a build could not be concluded");
    }
}
