//! `POST /v1/deployments/{id}/promote` and `POST /v1/projects/{project}/rollback`.

use axum::Json;
use axum::extract::{Path, State};

use axum::body::Bytes;
use gitdeploy_core::DeploymentId;
use serde::{Deserialize, Serialize};

use super::{App, DeploymentView, find};
use crate::problem::ApiError;

/// What a rollback may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rollback {
    /// The deployment that is in production as far as the caller knows; absent: whichever is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DeploymentId>,
}

pub(super) async fn promote(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<DeploymentView>, ApiError> {
    let deployment = find(&app.control, &id).await?;
    let task = tokio::spawn({
        let (control, deployment) = (app.control.clone(), deployment.clone());
        async move { control.promote(&deployment).await }
    });
    // Who goes away leaves nothing half done.
    task.await.map_err(|error| ApiError::Internal(error.into()))??;
    view(&app, deployment.id.as_str()).await
}

pub(super) async fn rollback(
    State(app): State<App>,
    Path(project): Path<String>,
    body: Bytes,
) -> Result<Json<DeploymentView>, ApiError> {
    let missing = || ApiError::NotFound { what: "project", name: project.clone() };
    let project = project.parse().map_err(|_| missing())?;
    let request: Rollback = match &body[..] {
        b"" => Rollback::default(),
        body => serde_json::from_slice::<Option<Rollback>>(body)
            .map_err(|error| ApiError::Body(error.to_string()))?
            .unwrap_or_default(),
    };
    let control = app.control.clone();
    let task = tokio::spawn(async move { control.roll_back(&project, request.from).await });
    let deployment = task.await.map_err(|error| ApiError::Internal(error.into()))??;
    view(&app, deployment.id.as_str()).await
}

async fn view(app: &App, id: &str) -> Result<Json<DeploymentView>, ApiError> {
    let deployment = find(&app.control, id).await?;
    Ok(Json(DeploymentView::new(deployment, &app.control.config.sites_url)))
}
