//! Replaces a published site of the same id at once; `docs/adr/0002-staged-replacement.md` tells why in
//! this way.
//!
//! 1. What has changed is uploaded beside the files that visitors see.
//! 2. A manifest that points there is written: the switch.
//! 3. The changed files are copied to where they belong, which nobody reads now, and their variants uploaded there.
//! 4. A manifest that points there is written, and what is no longer needed is removed.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use gitdeploy_core::manifest::File;
use gitdeploy_core::{Key, Manifest, SitePath, keys};
use gitdeploy_store::{ETag, Precondition};

use super::known::{Known, Source};
use super::upload::Target;
use super::{Asset, Earlier, Publication, variants};
use crate::stop::Stop;
use crate::variants::Pool;

/// How many files are removed at the same time.
const AT_ONCE: usize = 16;

impl Publication<'_> {
    /// Publishes `assets` in place of an earlier site.
    pub(super) async fn replace(&self, assets: &[Asset], earlier: Earlier) -> Result<Manifest, Stop> {
        let Earlier { manifest: earlier, precondition } = earlier;
        let kept = earlier.as_ref().map(|earlier| self.kept(assets, earlier)).unwrap_or_default();
        let has = |asset: &Asset, encoding| {
            kept.get(&asset.path).is_some_and(|file| file.variants.contains_key(&encoding))
        };
        let mut pool = self.compress(assets, has);
        let changed = assets.iter().filter(|asset| !kept.contains_key(&asset.path));
        let known = earlier.clone().map(Known::new);
        let target = |asset: &Asset| Target {
            key: keys::staged(&self.id, self.attempt, &asset.path),
            source: known.as_ref().and_then(|known| known.file(&asset.sha256)),
        };
        let mut entries = self.in_time(self.upload(changed, target)).await?;
        for entry in entries.values_mut() {
            entry.staged = Some(self.attempt);
        }
        entries.extend(kept);
        let switched = self.manifest(entries);
        let etag = self.write(&switched, precondition).await?;
        match self.settle(assets, &mut pool, &switched, etag, earlier.as_ref()).await {
            Ok(settled) => Ok(settled),
            // Visitors see the new site either way; the next build settles it.
            Err(stop) => {
                let reason = stop.failure.cause;
                self.recorder.notice(format!("the site is live, but could not be tidied up: {reason}"));
                Ok(switched)
            }
        }
    }

    /// The entries of files whose content the store has already, with the compressed copies that are still wanted.
    fn kept(&self, assets: &[Asset], earlier: &Manifest) -> BTreeMap<SitePath, File> {
        let same = assets.iter().filter_map(|asset| {
            let file = earlier.files.get(&asset.path).filter(|file| file.sha256 == asset.sha256)?;
            let mut file = File {
                content_type: asset.content_type.clone(),
                cache: self.site.names.caching(&asset.path),
                link: asset.link.clone(),
                ..file.clone()
            };
            file.variants.retain(|encoding, _| self.encodings.contains(encoding));
            Some((asset.path.clone(), file))
        });
        same.collect()
    }

    /// Moves staged files to where they belong. Compressed copies have no other place, so they are written only
    /// now, when no manifest names those that were there.
    async fn settle(
        &self,
        assets: &[Asset],
        pool: &mut Pool,
        switched: &Manifest,
        etag: ETag,
        earlier: Option<&Manifest>,
    ) -> Result<Manifest, Stop> {
        let staged = |path: &SitePath| switched.files.get(path).is_some_and(|file| file.staged.is_some());
        let moved = assets.iter().filter(|asset| staged(&asset.path));
        let target = |asset: &Asset| Target {
            key: keys::output(&self.id, &asset.path),
            source: switched.files.get(&asset.path).map(|file| Source {
                key: switched.key_of(&asset.path, file),
                etag: ETag(file.etag.clone()),
                bytes: file.bytes,
                sha256: Some(file.sha256),
            }),
        };
        let (moved, variants) = self
            .in_time(async { tokio::try_join!(self.upload(moved, target), self.upload_variants(pool)) })
            .await?;
        let settled = if moved.is_empty() && variants.is_empty() {
            switched.clone()
        } else {
            let mut entries = switched.files.clone();
            entries.extend(moved);
            variants::enter(&mut entries, variants);
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

/// The objects of `former` manifests that `settled` does not point at.
fn leftovers(settled: &Manifest, former: &[&Manifest]) -> Vec<Key> {
    let objects = |manifest: &Manifest| -> std::collections::BTreeSet<Key> {
        let files = manifest.files.iter().flat_map(|(path, file)| {
            let variants = file.variants.keys().map(|&encoding| keys::variant(&manifest.id, encoding, path));
            variants.chain([manifest.key_of(path, file)])
        });
        files.collect()
    };
    let needed = objects(settled);
    let mut leftovers: Vec<_> = former.iter().flat_map(|former| objects(former)).collect();
    leftovers.sort();
    leftovers.dedup();
    leftovers.retain(|key| !needed.contains(key));
    leftovers
}
