//! Routes follow the catalog: it changes first, then the object that proxies read.

use std::time::Duration;

use gitdeploy_core::{DeploymentId, ProjectId, Protection, Route, keys};
use gitdeploy_store::{Content, Precondition, Put, StoreError};
use jiff::Timestamp;
use serde::Deserialize;

use crate::catalog::CatalogError;
use crate::control::Control;
use crate::persist::{Passing, longer, persist};

/// The largest route that is read, in bytes.
pub(crate) const ROUTE_LIMIT: u64 = 64 << 10;

/// How long telling proxies of a change may hold up others.
const TELLING: Duration = Duration::from_secs(1);

/// How long to wait before what failed is tried again, at first.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Why a route does not follow the catalog yet.
#[derive(Debug, thiserror::Error)]
enum RouteError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Passing for RouteError {
    fn passes(&self) -> bool {
        match self {
            Self::Catalog(error) => error.passes(),
            Self::Store(error) => error.passes(),
        }
    }
}

impl Control {
    /// Writes the routes that differ from the catalog. One that cannot be written now holds up no other.
    pub(crate) async fn repair_routes(&self) {
        let projects = tokio::select! {
            projects = persist("list the projects", || self.catalog.projects()) => projects,
            () = self.stopping.cancelled() => return,
        };
        let projects = projects.unwrap_or_default().into_iter();
        let mut waiting: Vec<_> =
            projects.filter(|project| project.production.is_some()).map(|project| project.id).collect();
        let mut pause = FIRST_PAUSE;
        while !waiting.is_empty() && !self.stopping.is_cancelled() {
            let mut failed = Vec::new();
            for project in waiting {
                let Err(error) = self.write_route(&project).await else {
                    continue;
                };
                tracing::error!(error = &error as &dyn std::error::Error, project.id = %project, "cannot write a route");
                if error.passes() {
                    failed.push(project);
                }
            }
            waiting = failed;
            tokio::select! {
                () = tokio::time::sleep(pause), if !waiting.is_empty() => pause = longer(pause),
                () = self.stopping.cancelled() => return,
                else => return,
            }
        }
    }

    /// Makes the route of a project lead to its production. Tries until it is so, it cannot be or the process
    /// stops: then the next process repairs it.
    pub(crate) async fn settle_route(&self, project: &ProjectId) {
        tokio::select! {
            _ = persist("write a route", || self.write_route(project)) => {}
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
                    let next = match old {
                        Ok(old) => old.moved_to(production, Timestamp::now()),
                        Err(error) => anew(&error, &bytes, project, production),
                    };
                    (next, Precondition::Matches(meta.etag))
                }
                Err(StoreError::NotFound(_)) => {
                    (Route::new(project.clone(), production, Timestamp::now()), Precondition::Absent)
                }
                Err(error) => return Err(error.into()),
            };
            let json = serde_json::to_vec(&route).expect("a route has only text keys");
            let put =
                Put { precondition, content_type: Some("application/json".to_owned()), ..Put::default() };
            match self.store.put(&key, Content::Bytes(json.into()), put).await {
                Ok(_) => {}
                Err(StoreError::Changed(_) | StoreError::NotFound(_)) => continue,
                Err(error) => {
                    // It may have been done all the same: then the next try finds nothing to do.
                    self.tell_moved(project.as_str()).await;
                    return Err(error.into());
                }
            }
            tracing::info!(
                project.id = %project,
                deployment.id = %route.deployment,
                "{project} leads to {}",
                route.deployment
            );
            self.tell_moved(project.as_str()).await;
        }
    }

    /// Tells proxies that what a label leads to has changed. If that cannot be told now, they are told later that any
    /// route may have; nobody waits for it.
    pub(crate) async fn tell_moved(&self, label: &str) {
        let told = tokio::time::timeout(TELLING, self.bus.announce(label)).await;
        if !matches!(told, Ok(Ok(()))) {
            self.untold.notify_one();
        }
    }

    /// Tells proxies that any route may have changed: at the start, because the process before this one may have ended
    /// between a change and the word of it, and whenever a change could not be told.
    pub(crate) async fn tell_untold(self) {
        loop {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.bus.announce_any().await {
                tracing::warn!(%error, "proxies may serve what was there before; trying again");
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = longer(pause),
                    () = self.stopping.cancelled() => return,
                }
            }
            tokio::select! {
                () = self.untold.notified() => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    async fn stopping_for_good(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A route in the place of one that cannot be read: the catalog knows where it leads. Who may see the site only the old
/// one knew; if that cannot be told, nobody does until the operator says so.
fn anew(error: &serde_json::Error, old: &[u8], project: &ProjectId, production: DeploymentId) -> Route {
    let protection = protection(old).unwrap_or_else(|| {
        let closed = Protection { maintenance: true, ..Protection::default() };
        tracing::error!(
            project.id = %project,
            "nobody sees {project}, for it may have had a password: `gitdeploy protect` says who may"
        );
        closed
    });
    tracing::warn!(%error, project.id = %project, "a route makes no sense and is written anew");
    Route { protection, ..Route::new(project.clone(), production, Timestamp::now()) }
}

/// What a route that makes no sense says of who may see the site.
fn protection(route: &[u8]) -> Option<Protection> {
    #[derive(Deserialize)]
    struct Rest {
        #[serde(default)]
        protection: Protection,
    }
    serde_json::from_slice::<Rest>(route).ok().map(|rest| rest.protection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_makes_no_sense_opens_no_site() {
        let maintenance = Some(Protection { maintenance: true, ..Protection::default() });
        assert_eq!(protection(br#"{"deployment":7,"protection":{"maintenance":true}}"#), maintenance);
        assert_eq!(protection(br#"{"deployment":7}"#), Some(Protection::default()));
        assert_eq!(protection(br#"{"deployment":7,"protection":{"members":[]}}"#), None);
        assert_eq!(protection(b"garbage"), None);
    }
}
