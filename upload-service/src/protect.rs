//! Who may see a project's site: a setting of its route, which proxies read.

use gitdeploy_core::{ProjectId, Protection, Route, keys};
use gitdeploy_store::{Content, Precondition, Put, StoreError};

use crate::control::Control;
use crate::problem::ApiError;
use crate::routes::ROUTE_LIMIT;

impl Control {
    /// Who may see a project's site.
    pub(crate) async fn protection(&self, project: &ProjectId) -> Result<Protection, ApiError> {
        Ok(self.route(project).await?.0.protection)
    }

    /// Changes who may see a project's site, and returns what holds now. Proxies follow within seconds.
    pub(crate) async fn protect(
        &self,
        project: &ProjectId,
        change: impl Fn(&mut Protection),
    ) -> Result<Protection, ApiError> {
        loop {
            let (mut route, precondition) = self.route(project).await?;
            let before = route.protection.clone();
            change(&mut route.protection);
            if route.protection == before {
                return Ok(before);
            }
            let json = serde_json::to_vec(&route).expect("a route has only text keys");
            let put =
                Put { precondition, content_type: Some("application/json".to_owned()), ..Put::default() };
            let key = keys::route(project.as_str()).expect("a project's name is a label");
            match self.store.put(&key, Content::Bytes(json.into()), put).await {
                Ok(_) => {}
                // The route was moved meanwhile.
                Err(StoreError::Changed(_) | StoreError::NotFound(_)) => continue,
                Err(error) => {
                    // It may have been done all the same.
                    self.tell_moved(project.as_str()).await;
                    return Err(error.into());
                }
            }
            tracing::info!(
                project.id = %project,
                maintenance = route.protection.maintenance,
                password = route.protection.password.is_some(),
                "who may see {project} has changed"
            );
            self.tell_moved(project.as_str()).await;
            return Ok(route.protection);
        }
    }

    async fn route(&self, project: &ProjectId) -> Result<(Route, Precondition), ApiError> {
        let key = keys::route(project.as_str()).expect("a project's name is a label");
        match self.store.read(&key, ROUTE_LIMIT).await {
            Ok((meta, bytes)) => {
                let route =
                    serde_json::from_slice(&bytes).map_err(|error| ApiError::Internal(error.into()))?;
                Ok((route, Precondition::Matches(meta.etag)))
            }
            Err(StoreError::NotFound(_)) => {
                let name = project.to_string();
                Err(ApiError::NotFound { what: "project with a production", name })
            }
            Err(error) => Err(error.into()),
        }
    }
}
