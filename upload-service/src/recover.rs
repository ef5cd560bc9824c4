//! What a process that starts finds: deployments that were being built when an earlier one ended.

use gitdeploy_core::End;
use gitdeploy_core::event::Outcome;

use crate::catalog::Deployment;
use crate::conclude::{LeftToTheNext, Told, canceled_by_request, left_to_the_next, stopped};
use crate::control::Control;
use crate::persist::persist;

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

    /// The archived log is the truth of what has ended, the manifest of what is published.
    async fn what_became_of(&self, deployment: &Deployment) -> Result<(Told, End), LeftToTheNext> {
        if let Some(end) = self.archived_end(&deployment.id).await? {
            return Ok((Told::Log, end));
        }
        let end = match self.published_end(deployment).await? {
            Some(end) => end,
            None if deployment.cancel_requested => {
                End::unsuccessful(Outcome::Canceled, deployment.phase, canceled_by_request())
            }
            None => End::unsuccessful(Outcome::Lost, deployment.phase, stopped()),
        };
        Ok((Told::Nobody, end))
    }
}
