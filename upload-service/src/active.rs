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
    working: Mutex<HashMap<DeploymentId, Work>>,
    changes: watch::Sender<()>,
}

/// The word to stop for one deployment, and how many work on it: its build and whoever cancels it.
#[derive(Debug)]
struct Work {
    stop: CancellationToken,
    workers: usize,
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
    /// Begins to work on a deployment. Its word to stop follows `parent`, and is the same for all who work
    /// on it at the same time.
    pub(crate) fn begin(self: &Arc<Self>, id: &DeploymentId, parent: &CancellationToken) -> Working {
        let mut working = self.working.lock().expect("no panic while locked");
        let work =
            working.entry(id.clone()).or_insert_with(|| Work { stop: parent.child_token(), workers: 0 });
        work.workers += 1;
        Working { id: id.clone(), stop: work.stop.clone(), active: self.clone() }
    }

    /// Tells the build of a deployment to stop, if this process works on it.
    pub(crate) fn stop(&self, id: &DeploymentId) {
        if let Some(work) = self.working.lock().expect("no panic while locked").get(id) {
            work.stop.cancel();
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
        let mut working = self.active.working.lock().expect("no panic while locked");
        if let Some(work) = working.get_mut(&self.id) {
            work.workers -= 1;
            if work.workers == 0 {
                working.remove(&self.id);
            }
        }
        drop(working);
        self.active.changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_work_on_a_deployment_share_its_word_to_stop() {
        let (active, parent) = (Arc::new(Active::default()), CancellationToken::new());
        let id = "00000000000000000000".parse().unwrap();
        let first = active.begin(&id, &parent);
        let second = active.begin(&id, &parent);
        drop(first);
        assert!(active.contains(&id));
        active.stop(&id);
        assert!(second.stop.is_cancelled());
        drop(second);
        assert!(!active.contains(&id));
        assert!(!active.begin(&id, &parent).stop.is_cancelled());
    }
}
