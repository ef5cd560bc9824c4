//! Where the archives of a project are written down: a small object under a name that a builder can spell.

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{CacheLevel, ProjectId, keys};
use gitdeploy_store::{Content, Get, ObjectStore, Put, StoreError};
use serde::{Deserialize, Serialize};

use super::CacheError;

/// How large such an object may be, in bytes.
pub(super) const LARGEST: u64 = 64 << 10;

/// What is known of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The hash of the archive, which it is called like.
    pub(super) archive: Sha256,
    /// How large the archive is, in bytes.
    pub(super) bytes: u64,
    /// What the packages in it were installed from; absent: it has no packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Sha256>,
    /// The directories that are in it, relative to the workspace.
    pub(super) directories: Vec<String>,
    /// How many archives it has grown out of.
    #[serde(default)]
    pub(super) generation: u32,
    /// When it was saved, in milliseconds.
    pub(super) saved_at: i64,
}

/// The cache of one project at one level of trust.
#[derive(Debug, Clone)]
pub(super) struct Shelf<'a> {
    pub(super) store: &'a ObjectStore,
    pub(super) project: &'a ProjectId,
    pub(super) level: CacheLevel,
}

impl Shelf<'_> {
    /// The entry of this name, if there is one.
    pub(super) async fn entry(&self, name: &str) -> Result<Option<Entry>, CacheError> {
        let key = keys::cache_entry(self.project, self.level, name);
        match self.store.read(&key, LARGEST).await {
            Ok((_, json)) => {
                serde_json::from_slice(&json).map(Some).map_err(|_| CacheError::Entry(name.to_owned()))
            }
            // Whoever may not list is refused what is not there.
            Err(StoreError::NotFound(_) | StoreError::Denied { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The body of an archive, if it is still there.
    pub(super) async fn archive(
        &self,
        entry: &Entry,
    ) -> Result<Option<gitdeploy_store::ObjectBody>, CacheError> {
        let key = keys::cache(self.project, self.level, &entry.archive);
        match self.store.get(&key, Get::default()).await {
            Ok(object) if object.meta.bytes == entry.bytes => Ok(Some(object.body)),
            Ok(_) => Err(CacheError::NotAsSaved),
            Err(StoreError::NotFound(_) | StoreError::Denied { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Saves an archive, and then says under each of `names` that it is the newest. Returns the archives that were
    /// the newest before.
    pub(super) async fn save(
        &self,
        entry: &Entry,
        archive: Content,
        names: &[String],
    ) -> Result<Vec<Sha256>, CacheError> {
        let put = |media: &str| Put { content_type: Some(media.to_owned()), ..Put::default() };
        let key = keys::cache(self.project, self.level, &entry.archive);
        self.store.put(&key, archive, put("application/zstd")).await?;
        let json = serde_json::to_vec(entry).expect("an entry has only text keys");
        let mut replaced = Vec::new();
        for name in names {
            replaced.extend(self.entry(name).await.ok().flatten().map(|entry| entry.archive));
            let key = keys::cache_entry(self.project, self.level, name);
            let content = Content::Bytes(json.clone().into());
            self.store.put(&key, content, put("application/json")).await?;
        }
        Ok(replaced)
    }
}
