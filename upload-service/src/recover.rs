//! What a process that starts finds: deployments that were being built when an earlier one ended.

use gitdeploy_core::End;
use gitdeploy_core::event::Outcome;

use crate::catalog::Deployment;
use crate::conclude::{LeftToTheNext, Told, canceled_by_request, left_to_the_next, stopped, unreadable};
use crate::control::Control;
use crate::persist::{Unanswered, persist};

impl Control {
    /// Brings every deployment to its end whose builder ended together with the process that watched it.
    pub(crate) async fn recover(&self) {
        let running = tokio::select! {
            running = persist("look for unfinished builds", || self.catalog.running()) => running,
            () = self.stopping.cancelled() => return,
        };
        for deployment in running.unwrap_or_default() {
            let working = self.active.begin(&deployment.id, &self.stopping);
            let became = tokio::select! {
                became = self.what_became_of(&deployment) => became,
                () = self.stopping.cancelled() => Err(LeftToTheNext),
            };
            match became {
                Ok((told, end)) => self.conclude(&deployment, told, end, None).await,
                Err(LeftToTheNext) => left_to_the_next(&deployment),
            }
            drop(working);
        }
    }

    /// The manifest is the truth of what is published, the archived log of what has ended.
    async fn what_became_of(&self, deployment: &Deployment) -> Result<(Told, End), LeftToTheNext> {
        if let Some(end) = self.archived_end(&deployment.id).await? {
            return Ok((Told::Log, end));
        }
        let end = match self.persist("read a manifest", || self.manifest(&deployment.id)).await {
            Ok(Some(manifest)) if manifest.attempt == deployment.attempt => {
                End::ready(manifest.files.len() as u64, manifest.bytes())
            }
            Ok(_) if deployment.cancel_requested => {
                End::unsuccessful(Outcome::Canceled, deployment.phase, canceled_by_request())
            }
            Ok(_) => End::unsuccessful(Outcome::Lost, deployment.phase, stopped()),
            Err(Unanswered::Refused(error)) => unreadable(&error),
            Err(Unanswered::Stopping) => return Err(LeftToTheNext),
        };
        Ok((Told::Nobody, end))
    }
}
