//! Sites to serve, as a builder leaves them in the store.

use std::collections::BTreeMap;

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::{self, Manifest, Origin};
use gitdeploy_core::{Attempt, DeploymentId, Key, OutputId, Route, SitePath, content_type, keys};
use gitdeploy_store::{Content, ETag, ObjectStore, Put};
use jiff::Timestamp;

/// Puts a complete site into the store: its files, then its manifest.
pub(crate) async fn publish(store: &ObjectStore, id: &str, files: &[(&str, Bytes)]) {
    publish_at(store, id, None, files).await;
}

/// Publishes a site whose files lie under the staged keys of an attempt, if one is given.
pub(crate) async fn publish_at(
    store: &ObjectStore,
    id: &str,
    staged: Option<Attempt>,
    files: &[(&str, Bytes)],
) {
    let id: OutputId = id.parse().unwrap();
    let mut listed = BTreeMap::new();
    for (path, bytes) in files {
        let path: SitePath = path.parse().unwrap();
        let key = match staged {
            Some(attempt) => keys::staged(&id, attempt, &path),
            None => keys::output(&id, &path),
        };
        let file = manifest::File {
            bytes: bytes.len() as u64,
            sha256: Sha256::of(bytes),
            etag: put(store, &key, bytes.clone()).await.0,
            content_type: content_type::of(path.file_name()),
            staged,
        };
        listed.insert(path, file);
    }
    let now = Timestamp::UNIX_EPOCH;
    let manifest = Manifest {
        version: manifest::VERSION,
        id: id.clone(),
        attempt: Attempt::FIRST,
        files: listed,
        origin: Origin::default(),
        builder: "a test".to_owned(),
        started: now,
        finished: now,
    };
    put(store, &keys::manifest(&id), serde_json::to_vec(&manifest).unwrap().into()).await;
}

/// Moves a route.
pub(crate) async fn route(store: &ObjectStore, label: &str, deployment: &DeploymentId) {
    let route = Route::new("blog".parse().unwrap(), deployment.clone(), Timestamp::UNIX_EPOCH);
    put(store, &keys::route(label).unwrap(), serde_json::to_vec(&route).unwrap().into()).await;
}

/// Writes an object.
pub(crate) async fn put(store: &ObjectStore, key: &Key, bytes: Bytes) -> ETag {
    store.put(key, Content::Bytes(bytes), Put::default()).await.unwrap()
}
