//! Uploads compressed copies as they are made.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gitdeploy_core::manifest::{Encoding, File, Variant};
use gitdeploy_core::size::files as count;
use gitdeploy_core::{SitePath, keys};
use gitdeploy_store::Put;

use super::{AT_ONCE, Asset, Publication};
use crate::stop::Stop;
use crate::variants::{Compressed, Job, Pool, is_compressible};

/// The variants of files by their paths.
pub(super) type Variants = BTreeMap<SitePath, BTreeMap<Encoding, Variant>>;

impl Publication<'_> {
    /// Begins to compress those of `assets` that can become smaller, in the encodings that the entries which they
    /// have already in `kept` do not name.
    pub(super) fn compress(&self, assets: &[Asset], kept: Option<&BTreeMap<SitePath, File>>) -> Pool {
        let jobs = assets.iter().filter(|asset| is_compressible(&asset.content_type, asset.bytes));
        let jobs = jobs.filter_map(|asset| {
            let there = kept.and_then(|kept| kept.get(&asset.path));
            let is_missing =
                |encoding: &Encoding| there.is_none_or(|file| !file.variants.contains_key(encoding));
            let encodings: Vec<_> = self.encodings.iter().copied().filter(is_missing).collect();
            let Asset { path, real, bytes, sha256, .. } = asset;
            let (path, real) = (path.clone(), real.clone());
            (!encodings.is_empty()).then_some(Job { path, real, bytes: *bytes, sha256: *sha256, encodings })
        });
        Pool::start(jobs.collect(), self.room.clone(), self.process_limit)
    }

    /// Uploads what `pool` makes.
    pub(super) async fn upload_variants(&self, pool: &mut Pool) -> Result<Variants, Stop> {
        let copies = stream::unfold(&mut *pool, async |pool| Some((pool.next().await?, pool)));
        let uploads = copies.map(|copy| self.upload_variant(copy)).buffer_unordered(AT_ONCE);
        let mut variants = Variants::new();
        for (path, encoding, variant) in uploads.try_collect::<Vec<_>>().await? {
            variants.entry(path).or_default().insert(encoding, variant);
        }
        match pool.left_out() as u64 {
            0 => {}
            left_out => self.recorder.notice(format!(
                "there was no time to compress {}: visitors get them as they are",
                count(left_out)
            )),
        }
        Ok(variants)
    }

    async fn upload_variant(&self, copy: Compressed) -> Result<(SitePath, Encoding, Variant), Stop> {
        let key = keys::variant(&self.id, copy.encoding, &copy.path);
        let put = Put { pace: Some(self.pace.clone()), ..Put::default() };
        let etag = self.store.put(&key, copy.content(), put).await?;
        let variant = Variant { bytes: copy.bytes, etag: etag.0 };
        Ok((copy.path.clone(), copy.encoding, variant))
    }
}

/// Enters variants into the files that they belong to.
pub(super) fn enter(files: &mut BTreeMap<SitePath, File>, variants: Variants) {
    for (path, variants) in variants {
        if let Some(file) = files.get_mut(&path) {
            file.variants.extend(variants);
        }
    }
}
