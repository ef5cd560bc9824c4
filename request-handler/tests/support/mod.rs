//! Sites to serve, as a builder leaves them in the store.

use std::collections::BTreeMap;

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::{self, Encoding, Manifest, Origin, Variant};
use gitdeploy_core::{Attempt, Key, SitePath, content_type, keys};
use gitdeploy_store::{Content, ETag, ObjectStore, Put};
use jiff::Timestamp;

/// Puts a complete site into the store: its files, then its manifest.
pub(crate) async fn publish(store: &ObjectStore, id: &str, files: &[(&str, Bytes)]) {
    let mut manifest = empty_manifest(id);
    for (name, bytes) in files {
        add_named(store, &mut manifest, name, bytes).await;
    }
    put_manifest(store, &manifest).await;
}

/// Puts what a name says into the store and into a manifest: `a.js` is a file, `a.js [br]` its compressed copy,
/// `a.js [immutable]` a file that may be kept for ever, `a.html [link]` what the page needs at once.
pub(crate) async fn add_named(store: &ObjectStore, manifest: &mut Manifest, name: &str, bytes: &Bytes) {
    match name.trim_end_matches(']').split_once(" [") {
        None => add(store, manifest, None, name, bytes).await,
        Some((path, "immutable")) => {
            add(store, manifest, None, path, bytes).await;
            manifest.files.get_mut(path).unwrap().cache = manifest::Caching::Immutable;
        }
        Some((path, "link")) => {
            let link = String::from_utf8(bytes.to_vec()).unwrap();
            manifest.files.get_mut(path).unwrap().link = Some(link);
        }
        Some((path, encoding)) => add_variant(store, manifest, path, encoding, bytes).await,
    }
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
        content_type: content_type::of(path.file_name()).into_owned(),
        variants: BTreeMap::new(),
        cache: manifest::Caching::Revalidate,
        link: None,
        staged,
    };
    file.etag = put(store, &manifest.key_of(&path, &file), bytes.clone()).await.0;
    manifest.files.insert(path, file);
}

async fn add_variant(
    store: &ObjectStore,
    manifest: &mut Manifest,
    path: &str,
    encoding: &str,
    bytes: &Bytes,
) {
    let encoding = Encoding::ALL.into_iter().find(|known| known.as_str() == encoding).unwrap();
    let key = keys::variant(&manifest.id, encoding, &path.parse().unwrap());
    let etag = put(store, &key, bytes.clone()).await.0;
    let variant = Variant { bytes: bytes.len() as u64, sha256: Some(Sha256::of(bytes)), etag };
    manifest.files.get_mut(path).unwrap().variants.insert(encoding, variant);
}

/// A manifest without files.
pub(crate) fn empty_manifest(id: &str) -> Manifest {
    Manifest {
        version: manifest::VERSION,
        id: id.parse().unwrap(),
        attempt: Attempt::FIRST,
        files: BTreeMap::new(),
        project: None,
        origin: Origin::default(),
        rules: manifest::Rules::default(),
        builder: "a test".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::from_second(1_500_000_000).unwrap(),
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
