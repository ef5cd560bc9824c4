//! What a process that starts finds: deployments that were being built when an earlier one ended.

use gitdeploy_core::End;
use gitdeploy_core::event::Outcome;

use crate::build::{Told, persist, stopped};
use crate::catalog::Deployment;
use crate::control::Control;

impl Control {
    /// Brings every deployment to its end whose builder ended together with the process that watched it.
    pub(crate) async fn recover(&self) {
        let running = tokio::select! {
            running = persist("look for unfinished builds", || self.catalog.running()) => running,
            () = self.stopping.cancelled() => return,
        };
        for deployment in running {
            let working = self.active.begin(&deployment.id, &self.stopping);
            let (told, end) = self.what_became_of(&deployment).await;
            self.conclude(&deployment, told, end, None).await;
            drop(working);
        }
    }

    /// The manifest is the truth of what is published, the archived log of what has ended.
    async fn what_became_of(&self, deployment: &Deployment) -> (Told, End) {
        let archived = self.archived_end(&deployment.id).await;
        if let Some(end) = archived {
            return (Told::Log, end);
        }
        let manifest = tokio::select! {
            manifest = persist("read a manifest", || self.manifest(&deployment.id)) => manifest,
            () = self.stopping.cancelled() => None,
        };
        let end = match manifest.filter(|manifest| manifest.attempt == deployment.attempt) {
            Some(manifest) => End::ready(manifest.files.len() as u64, manifest.bytes()),
            None => End::unsuccessful(Outcome::Lost, deployment.phase, stopped()),
        };
        (Told::Nobody, end)
    }
}
