//! Sites to serve, as a builder leaves them in the store.

use std::collections::BTreeMap;

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::{self, Manifest, Origin};
use gitdeploy_core::{Attempt, Key, SitePath, content_type, keys};
use gitdeploy_store::{Content, ETag, ObjectStore, Put};
use jiff::Timestamp;

/// Puts a complete site into the store: its files, then its manifest.
pub(crate) async fn publish(store: &ObjectStore, id: &str, files: &[(&str, Bytes)]) {
    let mut manifest = empty_manifest(id);
    for (path, bytes) in files {
        add(store, &mut manifest, None, path, bytes).await;
    }
    put_manifest(store, &manifest).await;
}

/// Puts a file of a site into the store, under its staged key if an attempt is given.
pub(crate) async fn add(
    store: &ObjectStore,
    manifest: &mut Manifest,
    staged: Option<Attempt>,
    path: &str,
    bytes: &Bytes,
) {
    let path: SitePath = path.parse().unwrap();
    let mut file = manifest::File {
        bytes: bytes.len() as u64,
        sha256: Sha256::of(bytes),
        etag: String::new(),
        content_type: content_type::of(path.file_name()),
        variants: BTreeMap::new(),
        cache: manifest::Caching::Revalidate,
        staged,
    };
    file.etag = put(store, &manifest.key_of(&path, &file), bytes.clone()).await.0;
    manifest.files.insert(path, file);
}

/// A manifest without files.
pub(crate) fn empty_manifest(id: &str) -> Manifest {
    Manifest {
        version: manifest::VERSION,
        id: id.parse().unwrap(),
        attempt: Attempt::FIRST,
        files: BTreeMap::new(),
        origin: Origin::default(),
        rules: manifest::Rules::default(),
        builder: "a test".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
    }
}

/// Writes a manifest: from now on, this is the site.
pub(crate) async fn put_manifest(store: &ObjectStore, manifest: &Manifest) {
    put(store, &keys::manifest(&manifest.id), serde_json::to_vec(manifest).unwrap().into()).await;
}

/// Writes an object.
pub(crate) async fn put(store: &ObjectStore, key: &Key, bytes: Bytes) -> ETag {
    store.put(key, Content::Bytes(bytes), Put::default()).await.unwrap()
}
