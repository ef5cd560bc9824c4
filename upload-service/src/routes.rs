//! Routes follow the catalog: it changes first, then the object that proxies read.

use gitdeploy_core::{DeploymentId, ProjectId, Route, keys};
use gitdeploy_store::{Content, Precondition, Put, StoreError};
use jiff::Timestamp;

use crate::build::persist;
use crate::catalog::CatalogError;
use crate::control::Control;

/// The largest route that is read, in bytes.
const ROUTE_LIMIT: u64 = 64 << 10;

/// Why a route does not follow the catalog yet.
#[derive(Debug, thiserror::Error)]
enum RouteError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Control {
    /// Writes the routes that differ from the catalog.
    pub(crate) async fn repair_routes(&self) {
        let projects = tokio::select! {
            projects = persist("list the projects", || self.catalog.projects()) => projects,
            () = self.stopping.cancelled() => return,
        };
        for project in projects.into_iter().filter(|project| project.production.is_some()) {
            self.settle_route(&project.id).await;
        }
    }

    /// Makes the route of a project lead to its production. Tries until it is so or the process stops, in
    /// which case the next process repairs it.
    pub(crate) async fn settle_route(&self, project: &ProjectId) {
        tokio::select! {
            () = persist("write a route", || self.write_route(project)) => {}
            () = self.stopping_for_good() => {}
        }
    }

    async fn write_route(&self, project: &ProjectId) -> Result<(), RouteError> {
        let key = keys::route(project.as_str()).expect("a project's name is a label");
        loop {
            // Asked in every round: whoever writes last writes the newest.
            let Some(production) = self.catalog.production(project).await? else {
                return Ok(());
            };
            let (route, precondition) = match self.store.read(&key, ROUTE_LIMIT).await {
                Ok((meta, bytes)) => {
                    let old = serde_json::from_slice::<Route>(&bytes);
                    if old.as_ref().is_ok_and(|old| old.deployment == production) {
                        return Ok(());
                    }
                    (next(old, project, production), Precondition::Matches(meta.etag))
                }
                Err(StoreError::NotFound(_)) => {
                    (Route::new(project.clone(), production, Timestamp::now()), Precondition::Absent)
                }
                Err(error) => return Err(error.into()),
            };
            let json = serde_json::to_vec(&route).expect("a route has only text keys");
            let put = Put { precondition, content_type: Some("application/json".to_owned()) };
            match self.store.put(&key, Content::Bytes(json.into()), put).await {
                Ok(_) => {}
                Err(StoreError::Changed(_) | StoreError::NotFound(_)) => continue,
                Err(error) => return Err(error.into()),
            }
            tracing::info!(
                project.id = %project,
                deployment.id = %route.deployment,
                "{project} leads to {}",
                route.deployment
            );
            // An error says that nobody listens.
            self.moved.send(project.to_string()).ok();
        }
    }

    async fn stopping_for_good(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// A route that cannot be read is replaced: the catalog knows where it leads.
fn next(old: serde_json::Result<Route>, project: &ProjectId, production: DeploymentId) -> Route {
    let now = Timestamp::now();
    match old {
        Ok(old) => old.moved_to(production, now),
        Err(error) => {
            tracing::warn!(%error, project.id = %project, "a route makes no sense and is written anew");
            Route::new(project.clone(), production, now)
        }
    }
}
