//! Routes, as the upload service leaves them in the store.

use gitdeploy_core::{DeploymentId, Route, keys};
use gitdeploy_store::ObjectStore;
use jiff::Timestamp;

use crate::support::put;

/// Moves a route.
pub(crate) async fn lead(store: &ObjectStore, label: &str, deployment: &DeploymentId) {
    let route = Route::new("blog".parse().unwrap(), deployment.clone(), Timestamp::UNIX_EPOCH);
    put(store, &keys::route(label).unwrap(), serde_json::to_vec(&route).unwrap().into()).await;
}
