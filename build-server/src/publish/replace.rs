//! Replaces a published site of the same id at once; `docs/adr/0002-staged-replacement.md` tells why in
//! this way.
//!
//! 1. What has changed is uploaded beside the files that visitors see.
//! 2. A manifest that points there is written: the switch.
//! 3. The changed files are uploaded to where they belong, which nobody reads now.
//! 4. A manifest that points there is written, and what is no longer needed is removed.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::File;
use gitdeploy_core::{Key, Manifest, SitePath, content_type, keys};
use gitdeploy_store::{ETag, Precondition};

use super::{Earlier, Publication, upload};
use crate::output::SiteFile;
use crate::stop::Stop;

/// How many files are hashed or removed at the same time.
const AT_ONCE: usize = 16;

impl Publication<'_> {
    /// Publishes `files` in place of an earlier site.
    pub(super) async fn replace(&self, files: &[SiteFile], earlier: Earlier) -> Result<Manifest, Stop> {
        let hashes = hashes(files).await?;
        let Earlier { manifest: earlier, precondition } = earlier;
        let unchanged = earlier.as_ref().map(|earlier| unchanged(&hashes, earlier)).unwrap_or_default();
        let changed = files.iter().filter(|file| !unchanged.contains_key(&file.path));
        let mut entries = self.upload(changed, |path| keys::staged(&self.id, self.attempt, path)).await?;
        for entry in entries.values_mut() {
            entry.staged = Some(self.attempt);
        }
        entries.extend(unchanged);
        for (path, entry) in &mut entries {
            entry.cache = self.site.names.caching(path);
        }
        let switched = self.manifest(entries);
        let etag = self.write(&switched, precondition).await?;
        match self.settle(files, &switched, etag, earlier.as_ref()).await {
            Ok(settled) => Ok(settled),
            // Visitors see the new site either way; the next build settles it.
            Err(stop) => {
                let reason = stop.failure.cause;
                self.recorder.notice(format!("the site is live, but could not be tidied up: {reason}"));
                Ok(switched)
            }
        }
    }

    /// Moves staged files to where they belong.
    async fn settle(
        &self,
        files: &[SiteFile],
        switched: &Manifest,
        etag: ETag,
        earlier: Option<&Manifest>,
    ) -> Result<Manifest, Stop> {
        let staged = |path: &SitePath| switched.files.get(path).is_some_and(|file| file.staged.is_some());
        let moved = files.iter().filter(|file| staged(&file.path));
        let moved = self.upload(moved, |path| keys::output(&self.id, path)).await?;
        let settled = if moved.is_empty() {
            switched.clone()
        } else {
            let mut entries = switched.files.clone();
            entries.extend(moved);
            let settled = self.manifest(entries);
            self.write(&settled, Precondition::Matches(etag)).await?;
            settled
        };
        let former: Vec<_> = earlier.into_iter().chain([switched]).collect();
        self.remove(leftovers(&settled, &former)).await;
        Ok(settled)
    }

    /// Removes objects that nothing points at. What stays costs a little room and is never served.
    async fn remove(&self, keys: Vec<Key>) {
        let failed = stream::iter(keys)
            .map(|key| async move { self.store.delete(&key).await.err() })
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready);
        let failed: Vec<_> = failed.collect().await;
        if let Some(error) = failed.first() {
            tracing::warn!(%error, count = failed.len(), "files of the earlier site could not be removed");
        }
    }
}

async fn hashes(files: &[SiteFile]) -> Result<BTreeMap<&SitePath, Sha256>, Stop> {
    let hashes = files.iter().map(|file| async move { Ok((&file.path, upload::hash(file).await?)) });
    let hashes: Vec<Result<_, Stop>> = stream::iter(hashes).buffer_unordered(AT_ONCE).collect().await;
    hashes.into_iter().collect()
}

/// The entries of files whose content the store has already.
fn unchanged(hashes: &BTreeMap<&SitePath, Sha256>, earlier: &Manifest) -> BTreeMap<SitePath, File> {
    let same = hashes.iter().filter_map(|(path, hash)| {
        let file = earlier.files.get(*path).filter(|file| file.sha256 == *hash)?;
        let content_type = content_type::of(path.file_name());
        Some(((*path).clone(), File { content_type, ..file.clone() }))
    });
    same.collect()
}

/// The objects of `former` manifests that `settled` does not point at.
fn leftovers(settled: &Manifest, former: &[&Manifest]) -> Vec<Key> {
    let objects = |manifest: &Manifest| -> std::collections::BTreeSet<Key> {
        manifest.files.iter().map(|(path, file)| manifest.key_of(path, file)).collect()
    };
    let needed = objects(settled);
    let mut leftovers: Vec<_> = former.iter().flat_map(|former| objects(former)).collect();
    leftovers.sort();
    leftovers.dedup();
    leftovers.retain(|key| !needed.contains(key));
    leftovers
}
