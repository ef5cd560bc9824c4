//! Whether the service lives, whether it can work, and which one it is.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use gitdeploy_core::DeploymentId;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::App;
use crate::problem::ApiError;

/// How long the store and the bus may take to answer.
const BOUND: Duration = Duration::from_secs(3);

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the catalog, the store and the bus can be reached.
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    let control = &app.control;
    if control.stopping.is_cancelled() {
        return Err(ApiError::Stopping);
    }
    control.catalog.get(&DeploymentId::new(Timestamp::UNIX_EPOCH, 0)).await?;
    let silent = |_| ApiError::Unavailable("no answer in time".into());
    tokio::time::timeout(BOUND, control.store.check()).await.map_err(silent)??;
    tokio::time::timeout(BOUND, control.bus.check()).await.map_err(silent)??;
    Ok("ok\n")
}

/// `GET /version`.
pub(super) async fn version() -> Json<Value> {
    Json(json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") }))
}
