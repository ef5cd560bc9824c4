//! Every change that a deployment goes through.

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::Origin;
use gitdeploy_core::{Attempt, DeploymentId, Failure, Phase, State};
use jiff::Timestamp;

use super::record::{Deployment, NewDeployment};
use super::{Backend, Catalog, CatalogError};

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The final state.
    pub state: State,
    /// The phase that ended it, if one did.
    pub phase: Option<Phase>,
    /// How many files it has.
    pub files: Option<u64>,
    /// How large they are together, in bytes.
    pub bytes: Option<u64>,
    /// Why it is not ready.
    pub failure: Option<Failure>,
    /// What the build found out about where the files come from.
    pub origin: Origin,
}

/// What came of [`Catalog::finish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The deployment had ended before, belongs to a newer attempt, or waits for one: nothing has changed.
    Refused,
    /// It ended.
    Ended,
    /// It ended and is what the project's own host leads to now.
    Promoted,
}

/// What came of [`Catalog::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The deployment had ended before: nothing has changed.
    AlreadyFinal,
    /// It was still waiting, and is canceled.
    Canceled,
    /// Its build runs and has to be told.
    Requested,
}

/// What came of [`Catalog::promote`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// It is what the project's own host leads to now.
    Promoted,
    /// It was that already.
    Already,
    /// It is not ready, or not known.
    NotReady,
}

/// What a step made of a record.
#[derive(Debug)]
pub(super) struct Changed<T> {
    /// What the step says.
    pub(super) said: T,
    /// The record after it.
    pub(super) deployment: Deployment,
    /// Whether it became the production of its project.
    pub(super) promoted: bool,
}

impl Catalog {
    /// Adds a deployment, and its project if that is unknown.
    pub async fn create(&self, new: NewDeployment) -> Result<Deployment, CatalogError> {
        let deployment = Deployment::new(new);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.create(deployment).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.create(deployment)).await,
        }
    }

    /// Takes the oldest deployment that waits and whose project has no build running, and starts its next
    /// attempt. Whoever gets it promises to look after it until `lease`.
    pub async fn claim_oldest(
        &self,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<Deployment>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.claim_oldest(now, lease, self.holder.clone()).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.claim_oldest(now, lease, &self.holder)).await,
        }
    }

    /// Promises to look after a build until `lease`, and returns the deployment as it is now, so that a wish
    /// to cancel it is seen. Absent: it does not run any more, belongs to another attempt, or another process looks
    /// after it.
    pub async fn renew(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        lease: Timestamp,
    ) -> Result<Option<Deployment>, CatalogError> {
        let holder = self.holder.clone();
        let renewed = self.change(id, move |deployment| deployment.renew(attempt, lease, &holder)).await?;
        Ok(agreed(renewed))
    }

    /// Takes over a build whose watcher has not kept its promise: it still runs, and its lease is the one in
    /// `seen` and is over, or there is none. Of several who try, one gets the deployment.
    pub async fn take_over(
        &self,
        seen: &Deployment,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<Deployment>, CatalogError> {
        let (id, seen, holder) = (seen.id.clone(), seen.clone(), self.holder.clone());
        let taken =
            self.change(&id, move |deployment| deployment.take_over(&seen, now, lease, &holder)).await?;
        Ok(agreed(taken))
    }

    /// Notes what the running builder is called where it runs. Says whether the attempt still runs.
    pub async fn learn_task(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        task: String,
    ) -> Result<bool, CatalogError> {
        let learned = self.change(id, move |deployment| deployment.learn_task(attempt, &task)).await?;
        Ok(agreed(learned).is_some())
    }

    /// Lets a deployment wait again whose builder the platform has lost. It is the one step back that there
    /// is, and leads to a new attempt: what the lost one still sends is refused. Says no when the
    /// deployment has ended, belongs to another attempt, or somebody asked to cancel it.
    pub async fn restart(&self, id: &DeploymentId, attempt: Attempt) -> Result<bool, CatalogError> {
        let restarted = self.change(id, move |deployment| deployment.restart(attempt)).await?;
        Ok(agreed(restarted).is_some())
    }

    /// Binds a running attempt to the first session that asks for it. The same session may ask again;
    /// absent: it is bound to another one, has ended, or is another attempt.
    pub async fn bind(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        session: Sha256,
    ) -> Result<Option<Deployment>, CatalogError> {
        let bound = self.change(id, move |deployment| deployment.bind(attempt, session)).await?;
        Ok(agreed(bound))
    }

    /// Notes that the build is in `phase`. Says whether that was news: another attempt, an earlier state
    /// and a deployment that does not run are passed over.
    pub async fn advance(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        phase: Phase,
    ) -> Result<bool, CatalogError> {
        let advanced = self.change(id, move |deployment| deployment.advance(attempt, phase)).await?;
        Ok(agreed(advanced).is_some())
    }

    /// Notes the commit that the running build has found.
    pub async fn learn_commit(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        commit: String,
    ) -> Result<(), CatalogError> {
        self.change(id, move |deployment| deployment.learn_commit(attempt, &commit)).await?;
        Ok(())
    }

    /// Ends a deployment that runs, or that was never started. One that is ready and meant for production is
    /// promoted in the same step, unless a newer one is in production already.
    pub async fn finish(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        ending: Ending,
        now: Timestamp,
    ) -> Result<Finished, CatalogError> {
        let finished = self.change(id, move |deployment| deployment.finish(attempt, &ending, now)).await?;
        Ok(match finished {
            Some(Changed { said: true, promoted: true, .. }) => Finished::Promoted,
            Some(Changed { said: true, .. }) => Finished::Ended,
            _ => Finished::Refused,
        })
    }

    /// Makes a deployment that is ready the production of its project, be it older or newer than the one that
    /// is. Builds that were begun before the newest that was ever in production still do not replace it.
    pub async fn promote(&self, id: &DeploymentId) -> Result<Promotion, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.promote(id).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.promote(id)).await,
        }
    }

    /// Cancels a deployment that waits, and notes the wish for one whose build runs.
    pub async fn cancel(
        &self,
        id: &DeploymentId,
        failure: Failure,
        now: Timestamp,
    ) -> Result<Cancellation, CatalogError> {
        let canceled = self.change(id, move |deployment| deployment.cancel(&failure, now)).await?;
        Ok(canceled.map_or(Cancellation::AlreadyFinal, |changed| changed.said))
    }

    /// Takes one step from the record as it is, whoever else writes. Absent: there is no such deployment.
    async fn change<T: Send + 'static>(
        &self,
        id: &DeploymentId,
        step: impl Fn(&mut Deployment) -> T + Send + Sync + 'static,
    ) -> Result<Option<Changed<T>>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.change(id, step).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.change(id, step)).await,
        }
    }
}

/// The deployment, if the step was taken.
fn agreed(changed: Option<Changed<bool>>) -> Option<Deployment> {
    changed.filter(|changed| changed.said).map(|changed| changed.deployment)
}
