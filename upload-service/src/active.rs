//! The deployments that this process works on, and the word to stop for each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gitdeploy_core::DeploymentId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The deployments in work. A deployment stays in here until its end is told everywhere: in its log, in the
/// catalog and in its route.
#[derive(Debug, Default)]
pub(crate) struct Active {
    working: Mutex<HashMap<DeploymentId, CancellationToken>>,
    changes: watch::Sender<()>,
}

/// That a deployment is in work, for as long as the value lives.
#[derive(Debug)]
pub(crate) struct Working {
    id: DeploymentId,
    /// Canceled when the build is to stop.
    pub(crate) stop: CancellationToken,
    active: Arc<Active>,
}

impl Active {
    /// Begins to work on a deployment. Its word to stop follows `parent`.
    pub(crate) fn begin(self: &Arc<Self>, id: &DeploymentId, parent: &CancellationToken) -> Working {
        let stop = parent.child_token();
        self.working.lock().expect("no panic while locked").insert(id.clone(), stop.clone());
        Working { id: id.clone(), stop, active: self.clone() }
    }

    /// Tells the build of a deployment to stop, if this process works on it.
    pub(crate) fn stop(&self, id: &DeploymentId) {
        if let Some(stop) = self.working.lock().expect("no panic while locked").get(id) {
            stop.cancel();
        }
    }

    /// Whether this process works on the deployment.
    pub(crate) fn contains(&self, id: &DeploymentId) -> bool {
        self.working.lock().expect("no panic while locked").contains_key(id)
    }

    /// Changes whenever a deployment was finished.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Says that something about a deployment's end has changed.
    pub(crate) fn changed(&self) {
        self.changes.send_replace(());
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.active.working.lock().expect("no panic while locked").remove(&self.id);
        self.active.changed();
    }
}
