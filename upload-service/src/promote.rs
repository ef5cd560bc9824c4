//! Moving a project's own host to a deployment that is there already: forward is a promotion, back a rollback.

use gitdeploy_core::{DeploymentId, ProjectId, State};

use crate::catalog::{Deployment, Filter, Promotion, Target};
use crate::control::Control;
use crate::problem::ApiError;

/// How many deployments are looked through at a time.
const PAGE: u32 = 50;

impl Control {
    /// Makes a deployment the production of its project. It is a move of the route, never a build.
    pub(crate) async fn promote(&self, deployment: &Deployment) -> Result<(), ApiError> {
        // What is not there cannot be served, whatever the catalog says.
        if deployment.state == State::Ready && self.manifest(&deployment.id).await?.is_none() {
            return Err(ApiError::Gone(deployment.id.clone()));
        }
        match self.catalog.promote(&deployment.id).await? {
            Promotion::Promoted | Promotion::Already => {}
            Promotion::NotReady => return Err(ApiError::NotReady(deployment.id.clone())),
        }
        tracing::info!(
            project.id = %deployment.project,
            deployment.id = %deployment.id,
            "{} is promoted",
            deployment.id
        );
        self.settle_route(&deployment.project).await;
        self.active.changed();
        Ok(())
    }

    /// Makes the deployment that was before the one in production the production of a project, and returns it.
    /// With `from`, only if that is in production: a repeat does not go back once more.
    pub(crate) async fn roll_back(
        &self,
        project: &ProjectId,
        from: Option<DeploymentId>,
    ) -> Result<Deployment, ApiError> {
        let Some(production) = self.catalog.production(project).await? else {
            return Err(ApiError::NotFound { what: "project with a production", name: project.to_string() });
        };
        if from.is_some_and(|from| from != production) {
            return Err(ApiError::Moved { project: project.clone(), production });
        }
        let mut after = Some(production);
        while after.is_some() {
            let filter =
                Filter { project: Some(project.clone()), state: Some(State::Ready), after, limit: PAGE };
            let page = self.catalog.list(filter).await?;
            for deployment in page.items.into_iter().filter(|item| item.target == Target::Production) {
                match self.promote(&deployment).await {
                    // The one before it will do.
                    Err(ApiError::Gone(_)) => {}
                    promoted => return promoted.map(|()| deployment),
                }
            }
            after = page.next;
        }
        Err(ApiError::NoPredecessor(project.clone()))
    }
}
