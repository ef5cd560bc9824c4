//! Which build starts when.

use std::time::Duration;

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Attempt, End, Failure, FailureCode};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use crate::catalog::Deployment;
use crate::conclude::Told;
use crate::control::Control;
use crate::lease;

/// How long to wait when the catalog fails.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a catalog that other processes write to is asked for what waits.
const LOOK: Duration = Duration::from_secs(2);

/// How often builds are looked for that nobody looks after.
const ORPHANS: Duration = Duration::from_secs(10);

/// How often the routes of a catalog that other processes write to are compared with it.
const ROUTES: Duration = Duration::from_mins(10);

/// How often builders are looked for that nobody needs.
const STRAYS: Duration = Duration::from_mins(1);

impl Control {
    /// Runs builds until the word to stop, those that other processes have left among them, and ends after
    /// the last that ends with this process.
    pub async fn run_builds(&self) {
        let mut beside = JoinSet::new();
        beside.spawn(self.clone().look_after_routes());
        beside.spawn(self.clone().tell_untold());
        if self.launcher.outlives_us() {
            beside.spawn(self.clone().look_after_builders());
        }
        let mut builds = JoinSet::new();
        let mut orphans = every(ORPHANS);
        let mut may_be_orphans = true;
        while !self.stopping.is_cancelled() {
            let pause = self.launch_waiting(&mut builds).await;
            tokio::select! {
                () = self.wake.notified() => {}
                () = self.stopping.cancelled() => {}
                Some(ended) = builds.join_next(), if !builds.is_empty() => note_panic(ended),
                _ = orphans.tick(), if may_be_orphans => {
                    // In a catalog of one process there are none but those of the one before.
                    may_be_orphans = !self.adopt_orphans(&mut builds).await || self.catalog.is_shared();
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
        while let Some(ended) = builds.join_next().await {
            note_panic(ended);
        }
    }

    /// Repairs routes now and then: a process may have ended between the catalog and a route.
    async fn look_after_routes(self) {
        loop {
            self.repair_routes().await;
            if !self.catalog.is_shared() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(ROUTES) => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    async fn look_after_builders(self) {
        let mut strays = every(STRAYS);
        loop {
            tokio::select! {
                _ = strays.tick() => self.sweep_strays().await,
                () = self.stopping.cancelled() => return,
            }
        }
    }

    /// Starts as many builds as may run. Says after how long to look again at the latest.
    async fn launch_waiting(&self, builds: &mut JoinSet<()>) -> Duration {
        while builds.len() < self.config.builds_at_once.get() && !self.stopping.is_cancelled() {
            match self.catalog.claim_oldest(Timestamp::now(), lease::from_now()).await {
                Ok(Some(deployment)) => {
                    tracing::info!(
                        deployment.id = %deployment.id,
                        attempt = deployment.attempt.0,
                        waited_ms = waited(&deployment),
                        "deployment {} starts",
                        deployment.id
                    );
                    let control = self.clone();
                    builds.spawn(async move {
                        control.for_sure(&deployment, Self::run).await;
                    });
                }
                Ok(None) if self.catalog.is_shared() => return LOOK,
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

    async fn run(self, deployment: Deployment) {
        self.build(&deployment).await;
    }

    /// Does `work` on a deployment. Whatever happens to it, the deployment comes to an end.
    pub(crate) async fn for_sure<F: Future<Output = ()> + Send + 'static>(
        &self,
        deployment: &Deployment,
        work: impl FnOnce(Self, Deployment) -> F,
    ) {
        let work = AbortOnDropHandle::new(tokio::spawn(work(self.clone(), deployment.clone())));
        if let Err(error) = work.await {
            tracing::error!(deployment.id = %deployment.id, %error, "the watch over a build failed");
            let failure = Failure::new(
                FailureCode::BuilderLost,
                "the upload service failed while it watched the build",
            )
            .fix("deploy again");
            let working = self.begin(&deployment.id);
            let end = End::unsuccessful(Outcome::Lost, None, failure);
            self.conclude(deployment, Told::Nobody, end, None).await;
            drop(working);
        }
    }
}

/// How long a deployment has waited for its first start, in milliseconds. Of later ones nothing is said.
fn waited(deployment: &Deployment) -> Option<u64> {
    let started = deployment.started.filter(|_| deployment.attempt == Attempt::FIRST)?;
    u64::try_from(started.as_millisecond() - deployment.created.as_millisecond()).ok()
}

/// A tick now, and then again and again.
fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a build could not be concluded");
    }
}
