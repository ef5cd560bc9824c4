//! The control plane: what requests, builds and pages share.

use std::sync::{Arc, Mutex};

use gitdeploy_bus::EventBus;
use gitdeploy_core::DeploymentId;
use gitdeploy_store::ObjectStore;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::access::{self, Access};
use crate::active::Active;
use crate::catalog::{Cancellation, Catalog, CatalogError, Deployment, NewDeployment};
use crate::conclude::canceled_by_request;
use crate::config::Config;
use crate::data::{DataDirectory, OpenError};
use crate::launcher::Launcher;

/// How many moved routes a receiver may be behind.
const MOVED_ROUTES: usize = 1024;

/// The whole control plane. Clones share it.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) config: Arc<Config>,
    pub(crate) data: Arc<DataDirectory>,
    pub(crate) catalog: Catalog,
    pub(crate) store: ObjectStore,
    pub(crate) bus: EventBus,
    pub(crate) launcher: Launcher,
    pub(crate) access: Arc<Access>,
    pub(crate) active: Arc<Active>,
    pub(crate) moved: broadcast::Sender<String>,
    /// Told when a deployment waits to be built.
    pub(crate) wake: Arc<Notify>,
    pub(crate) stopping: CancellationToken,
    last_id: Arc<Mutex<i64>>,
}

impl Control {
    /// Takes the data directory and opens the catalog in it. `stopping` ends what the control plane does.
    pub async fn open(
        mut config: Config,
        store: ObjectStore,
        bus: EventBus,
        launcher: Launcher,
        stopping: CancellationToken,
    ) -> Result<Self, OpenError> {
        let data = DataDirectory::open(&config.data_directory)?;
        let token = match config.token.take() {
            Some(token) => token,
            None => data.token(access::new_token)?.into(),
        };
        let catalog = Catalog::open(&data.catalog())?;
        let newest = catalog.newest().await?.unwrap_or(0);
        Ok(Self {
            config: Arc::new(config),
            data: Arc::new(data),
            catalog,
            store,
            bus,
            launcher,
            access: Arc::new(Access::new(token.expose_secret())),
            active: Arc::default(),
            moved: broadcast::Sender::new(MOVED_ROUTES),
            wake: Arc::default(),
            stopping,
            last_id: Arc::new(Mutex::new(newest)),
        })
    }

    /// The labels of routes as they are moved. A receiver that lags behind has to look at all routes.
    pub fn moved_routes(&self) -> broadcast::Receiver<String> {
        self.moved.subscribe()
    }

    /// A code that opens one session within ten minutes, at `/login?code=<code>`.
    pub fn new_login_code(&self) -> String {
        self.access.new_code(Timestamp::now())
    }

    /// The records of projects and deployments.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The word to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// The id and the time of a new deployment. Both only grow, even when the clock is set back: a newer
    /// deployment is never taken for an older one.
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
        let working = self.active.begin(&deployment.id, &self.stopping);
        let outcome = self.catalog.cancel(&deployment.id, failure.clone(), Timestamp::now()).await?;
        match outcome {
            Cancellation::AlreadyFinal => {}
            Cancellation::Requested => self.active.stop(&deployment.id),
            Cancellation::Canceled => {
                self.tell_canceled(deployment, failure).await;
                self.discard_upload(deployment).await;
            }
        }
        drop(working);
        Ok(outcome)
    }

    /// Waits until the deployment has come to its end and everything about the end is told.
    pub(crate) async fn settled(&self, id: &DeploymentId) {
        let mut changes = self.active.changes();
        loop {
            changes.mark_unchanged();
            if !self.active.contains(id) {
                match self.catalog.get(id).await {
                    Ok(Some(deployment)) if !deployment.state.is_final() => {}
                    Ok(_) => return,
                    Err(error) => tracing::error!(%error, "the catalog cannot be asked"),
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
