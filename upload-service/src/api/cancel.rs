//! `POST /v1/deployments/{id}/cancel`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{App, DeploymentView, find};
use crate::catalog::Cancellation;
use crate::problem::ApiError;

/// Answers 202 while a build has still to stop, 200 when the deployment has ended.
pub(super) async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<DeploymentView>), ApiError> {
    let deployment = find(&app.control, &id).await?;
    let task = tokio::spawn({
        let (control, deployment) = (app.control.clone(), deployment.clone());
        async move { control.cancel(&deployment).await }
    });
    let outcome = task.await.map_err(|error| ApiError::Internal(error.into()))??;
    let status = match outcome {
        Cancellation::Requested => StatusCode::ACCEPTED,
        Cancellation::AlreadyFinal | Cancellation::Canceled => StatusCode::OK,
    };
    let deployment = find(&app.control, deployment.id.as_str()).await?;
    Ok((status, Json(DeploymentView::new(deployment, &app.control.config.sites_url))))
}
