//! `GET /v1/projects`.

use axum::Json;
use axum::extract::State;
use gitdeploy_core::{DeploymentId, ProjectId};
use serde::{Deserialize, Serialize};

use super::{App, ProjectList};
use crate::problem::ApiError;

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectView {
    /// Its name.
    pub project: ProjectId,
    /// The deployment that its address leads to.
    pub production: Option<DeploymentId>,
    /// Its address.
    pub url: String,
}

pub(super) async fn list(State(app): State<App>) -> Result<Json<ProjectList>, ApiError> {
    let projects = app.control.catalog.projects().await?;
    let items = projects.into_iter().map(|project| ProjectView {
        url: app.control.config.sites_url.of(project.id.as_str()),
        project: project.id,
        production: project.production,
    });
    Ok(Json(ProjectList { items: items.collect() }))
}
