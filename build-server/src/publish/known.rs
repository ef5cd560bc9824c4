//! What the store has already: the files of a site that was published before, by their content.

use std::collections::HashMap;

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::{self, Encoding, File};
use gitdeploy_core::{Key, Manifest, OutputId, SitePath, keys};
use gitdeploy_store::{ETag, ObjectStore};

/// A published site by the content of its files.
#[derive(Debug)]
pub(super) struct Known {
    manifest: Manifest,
    paths: HashMap<Sha256, SitePath>,
}

/// A content that is in the store.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) key: Key,
    pub(super) etag: ETag,
    pub(super) bytes: u64,
    /// Its hash, if that was noted.
    pub(super) sha256: Option<Sha256>,
}

impl Known {
    pub(super) fn new(manifest: Manifest) -> Self {
        // Of several files with the same content one that was compressed is worth more.
        let mut files: Vec<_> = manifest.files.iter().collect();
        files.sort_by_key(|(_, file)| file.variants.len());
        let paths = files.into_iter().map(|(path, file)| (file.sha256, path.clone())).collect();
        Self { manifest, paths }
    }

    /// The site that is filed under `id`, if it is there and can be read: without it all is made and sent.
    pub(super) async fn read(store: &ObjectStore, id: &OutputId) -> Option<Self> {
        let read = store.read(&keys::manifest(id), manifest::LARGEST).await;
        let manifest = match read.map(|(_, json)| serde_json::from_slice::<Manifest>(&json)) {
            Ok(Ok(manifest)) => manifest,
            Ok(Err(error)) => {
                tracing::debug!(%error, %id, "the manifest of the previous deployment cannot be understood");
                return None;
            }
            Err(error) => {
                tracing::debug!(%error, %id, "the manifest of the previous deployment cannot be read");
                return None;
            }
        };
        Some(Self::new(manifest))
    }

    /// A file with this content.
    pub(super) fn file(&self, sha256: &Sha256) -> Option<Source> {
        let (path, file) = self.find(sha256)?;
        let key = self.manifest.key_of(path, file);
        Some(Source { key, etag: ETag(file.etag.clone()), bytes: file.bytes, sha256: Some(file.sha256) })
    }

    /// A compressed copy of a file with this content.
    pub(super) fn variant(&self, sha256: &Sha256, encoding: Encoding) -> Option<Source> {
        let (path, file) = self.find(sha256)?;
        let variant = file.variants.get(&encoding)?;
        let key = keys::variant(&self.manifest.id, encoding, path);
        let etag = ETag(variant.etag.clone());
        Some(Source { key, etag, bytes: variant.bytes, sha256: variant.sha256 })
    }

    fn find(&self, sha256: &Sha256) -> Option<(&SitePath, &File)> {
        self.manifest.files.get_key_value(self.paths.get(sha256)?)
    }
}
