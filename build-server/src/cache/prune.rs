//! Removes what nobody will restore any more, where whoever saves may do so. On AWS builders may neither list nor
//! remove; there the bucket forgets by itself what is old.

use std::cmp::Reverse;
use std::collections::HashSet;

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{Key, keys};
use gitdeploy_store::StoreError;

use super::entry::{Entry, LARGEST, Shelf};

/// How many entries of a level are left.
const KEPT: usize = 16;

impl Shelf<'_> {
    /// Removes all but the newest entries, and of `replaced` and what those named the archives that no entry names.
    /// Archives that nobody names are let be: a build that saves in this moment may be about to name its own.
    pub(super) async fn prune(&self, replaced: Vec<Sha256>) {
        match self.try_prune(replaced).await {
            Ok(()) | Err(StoreError::Denied { .. }) => {}
            Err(error) => tracing::warn!(%error, "the cache could not be tidied up"),
        }
    }

    async fn try_prune(&self, replaced: Vec<Sha256>) -> Result<(), StoreError> {
        let page = self.store.list(&keys::caches(self.project, self.level), None).await?;
        let is_entry = |key: &Key| matches!(key.as_str().rsplit_once('.'), Some((_, "json")));
        let keys = page.objects.into_iter().map(|(key, _)| key).filter(is_entry);
        let mut known = Vec::new();
        for key in keys {
            let entry = self.store.read(&key, LARGEST).await;
            let entry = entry.ok().and_then(|(_, json)| serde_json::from_slice::<Entry>(&json).ok());
            known.push((entry.as_ref().map_or(0, |entry| entry.saved_at), key, entry));
        }
        known.sort_by_key(|(saved_at, ..)| Reverse(*saved_at));
        let old = known.split_off(known.len().min(KEPT));
        let archives = |known: Vec<(i64, Key, Option<Entry>)>| -> HashSet<Sha256> {
            known.into_iter().filter_map(|(_, _, entry)| entry).map(|entry| entry.archive).collect()
        };
        for (_, key, _) in &old {
            self.store.delete(key).await?;
        }
        let named = archives(known);
        for archive in archives(old).into_iter().chain(replaced).filter(|archive| !named.contains(archive)) {
            self.store.delete(&keys::cache(self.project, self.level, &archive)).await?;
        }
        Ok(())
    }
}
