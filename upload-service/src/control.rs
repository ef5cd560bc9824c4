//! The control plane: what requests, builds and pages share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitdeploy_bus::EventBus;
use gitdeploy_core::{Attempt, DeploymentId, State};
use gitdeploy_store::ObjectStore;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::access::{self, Access};
use crate::active::{Active, Working};
use crate::catalog::{Cancellation, Catalog, CatalogError, Deployment, NewDeployment};
use crate::conclude::canceled_by_request;
use crate::config::Config;
use crate::data::{DataDirectory, OpenError};
use crate::launcher::Launcher;
use crate::lend::Lender;
use crate::parts::Parts;

/// How often the catalog is asked for what other processes have changed.
const LOOK: Duration = Duration::from_secs(1);

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The deployment has ended.
    Ended,
    /// Another attempt follows.
    Again,
}

/// The whole control plane. Clones share it.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) config: Arc<Config>,
    pub(crate) data: Arc<DataDirectory>,
    pub(crate) catalog: Catalog,
    pub(crate) store: ObjectStore,
    pub(crate) bus: EventBus,
    pub(crate) launcher: Launcher,
    /// Present where builders are not processes of this machine.
    pub(crate) lender: Option<Arc<Lender>>,
    pub(crate) access: Arc<Access>,
    pub(crate) active: Arc<Active>,
    /// Told when a deployment waits to be built.
    pub(crate) wake: Arc<Notify>,
    /// Told when proxies could not be told of a change.
    pub(crate) untold: Arc<Notify>,
    pub(crate) stopping: CancellationToken,
    last_id: Arc<Mutex<i64>>,
}

impl Control {
    /// Takes the data directory, and opens the catalog in it if there is no other. `stopping` ends what the control plane does.
    pub async fn open(
        mut config: Config,
        parts: Parts,
        stopping: CancellationToken,
    ) -> Result<Self, OpenError> {
        let Parts { store, bus, launcher, catalog, lend } = parts;
        let data = DataDirectory::open(&config.data_directory)?;
        let token = match config.token.take() {
            Some(token) => token,
            None => data.token(access::new_token)?.into(),
        };
        let catalog = match catalog {
            Some(catalog) => catalog,
            None => Catalog::open(&data.catalog())?,
        };
        let lender = match lend {
            Some(lend) => {
                Some(Arc::new(Box::pin(lend.open(bus.clone(), &catalog, &config.data_directory)).await?))
            }
            None => None,
        };
        let newest = catalog.newest().await?.unwrap_or(0);
        Ok(Self {
            config: Arc::new(config),
            data: Arc::new(data),
            catalog,
            store,
            bus,
            launcher,
            lender,
            access: Arc::new(Access::new(token.expose_secret())),
            active: Arc::default(),
            wake: Arc::default(),
            untold: Arc::default(),
            stopping,
            last_id: Arc::new(Mutex::new(newest)),
        })
    }

    /// The bus, on which proxies hear of routes as they are moved.
    pub fn bus(&self) -> &EventBus {
        &self.bus
    }

    /// A code that opens one session within ten minutes, at `/login?code=<code>`.
    pub async fn new_login_code(&self) -> Result<String, CatalogError> {
        access::new_code(&self.catalog, Timestamp::now()).await
    }

    /// The records of projects and deployments.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What lends to builders, where they are not processes of this machine.
    pub fn lender(&self) -> Option<&Lender> {
        self.lender.as_deref()
    }

    /// The word to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// The id and the time of a new deployment. Both only grow, even when the clock is set back: of the deployments
    /// that this process takes a newer one is never taken for an older one. Between replicas their clocks decide.
    pub(crate) fn next_id(&self) -> (DeploymentId, Timestamp) {
        let mut last = self.last_id.lock().expect("no panic while locked");
        *last = Timestamp::now().as_millisecond().max(*last + 1);
        let now = Timestamp::from_millisecond(*last).expect("a clock shows a time that has a date");
        let random = getrandom::u64().expect("the system has random numbers");
        (DeploymentId::new(now, random), now)
    }

    /// Adds a deployment, which is built when its turn comes.
    pub async fn deploy(&self, new: NewDeployment) -> Result<Deployment, CatalogError> {
        let deployment = self.catalog.create(new).await?;
        tracing::info!(
            deployment.id = %deployment.id,
            project.id = %deployment.project,
            "deployment {} of {} waits",
            deployment.id,
            deployment.project
        );
        self.active.changed();
        self.wake.notify_one();
        Ok(deployment)
    }

    /// Cancels a deployment. One whose build runs ends a little later.
    pub async fn cancel(&self, deployment: &Deployment) -> Result<Cancellation, CatalogError> {
        let failure = canceled_by_request();
        // Who finds it canceled waits until its log says so too.
        let working = self.begin(&deployment.id);
        let outcome = self.catalog.cancel(&deployment.id, failure.clone(), Timestamp::now()).await?;
        match outcome {
            Cancellation::AlreadyFinal => {}
            Cancellation::Requested => self.active.stop(&deployment.id),
            Cancellation::Canceled => {
                self.tell_canceled(deployment, failure.clone()).await;
                // An earlier attempt may have been shown.
                self.show_status(deployment, State::Canceled, Some(&failure)).await;
                self.discard_upload(deployment).await;
            }
        }
        drop(working);
        Ok(outcome)
    }

    /// Begins to work on a deployment. Where builders end with this process, its word to stop is theirs too.
    pub(crate) fn begin(&self, id: &DeploymentId) -> Working {
        let parent =
            if self.launcher.outlives_us() { CancellationToken::new() } else { self.stopping.clone() };
        self.active.begin(id, &parent)
    }

    /// Waits until `attempt` is over and everything about its end is told: the deployment has ended, or its
    /// next attempt has begun. Says which.
    pub(crate) async fn settled(&self, id: &DeploymentId, attempt: Attempt) -> Settled {
        let shared = self.catalog.is_shared();
        let mut changes = self.active.changes();
        loop {
            changes.mark_unchanged();
            // While this process works on it nothing is settled, unless another attempt begins.
            if shared || !self.active.contains(id) {
                match self.catalog.get(id).await {
                    Ok(Some(deployment)) if deployment.state.is_final() => {
                        if !self.active.contains(id) {
                            return Settled::Ended;
                        }
                    }
                    Ok(Some(deployment)) if begins_anew(&deployment, attempt) => return Settled::Again,
                    Ok(Some(_)) => {}
                    Ok(None) => return Settled::Ended,
                    Err(error) => tracing::error!(%error, "the catalog cannot be asked"),
                }
            }
            if shared {
                // Another process may work on it, whose changes are not told here.
                tokio::time::timeout(LOOK, changes.changed()).await.ok();
            } else if changes.changed().await.is_err() {
                return Settled::Ended;
            }
        }
    }
}

/// Whether what comes of a deployment is no longer up to `attempt`.
fn begins_anew(deployment: &Deployment, attempt: Attempt) -> bool {
    deployment.attempt > attempt || (deployment.attempt == attempt && deployment.state == State::Queued)
}
