//! Uploads compressed copies as they are made.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gitdeploy_core::manifest::{Encoding, File, Variant};
use gitdeploy_core::size::files as count;
use gitdeploy_core::{SitePath, keys};
use gitdeploy_store::{Content, ETag, Get, Put};

use super::known::Source;
use super::{AT_ONCE, Asset, Publication};
use crate::stop::Stop;
use crate::variants::{Compressed, Job, Pool, is_compressible};

/// A file that a server sends before it hears anything (RFC 6928) arrives no sooner when it is compressed, only with
/// fewer bytes; in bytes.
const SMALL: u64 = 10 * 1460;

/// With more small files than these they get the preferred encoding alone: each further one would take as long to upload
/// as the files themselves.
const MANY: usize = 1000;

/// The largest variant that is taken over by way of our memory; in bytes.
const LARGEST_MOVED: u64 = 4 << 20;

/// The variants of files by their paths.
pub(super) type Variants = BTreeMap<SitePath, BTreeMap<Encoding, Variant>>;

impl Publication<'_> {
    /// Begins to compress those of `assets` that can become smaller, in the encodings in which the store `has` them
    /// not yet.
    pub(super) fn compress(&self, assets: &[Asset], has: impl Fn(&Asset, Encoding) -> bool) -> Pool {
        let jobs = wanted(assets, self.encodings).filter_map(|(asset, encodings)| {
            let missing = encodings.iter().copied().filter(|encoding| !has(asset, *encoding));
            let encodings: Vec<_> = missing.collect();
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
        let variants = gathered(uploads.try_collect().await?);
        match pool.left_out() as u64 {
            0 => {}
            left_out => self.recorder.notice(format!(
                "there was no time to compress {}: visitors get them as they are",
                count(left_out)
            )),
        }
        Ok(variants)
    }

    /// Copies the variants of `assets` that the store has at `source`. What cannot be copied is missing, which
    /// the next deployment sees.
    pub(super) async fn copy_variants(
        &self,
        assets: &[Asset],
        source: impl Fn(&Asset, Encoding) -> Option<Source>,
    ) -> Result<Variants, Stop> {
        let wanted =
            assets.iter().flat_map(|asset| self.encodings.iter().map(move |encoding| (asset, *encoding)));
        let copies = wanted.filter_map(|(asset, encoding)| {
            let source = source(asset, encoding)?;
            Some(async move {
                let etag = self.copy_variant(&source, encoding, &asset.path).await?;
                let variant = Variant { bytes: source.bytes, sha256: source.sha256, etag: etag.0 };
                Some((asset.path.clone(), encoding, variant))
            })
        });
        let copying = stream::iter(copies).buffer_unordered(AT_ONCE);
        Ok(gathered(copying.filter_map(std::future::ready).collect().await))
    }

    /// Where the store does not copy, the variant takes the way through us, which is cheaper than to make it again.
    async fn copy_variant(&self, source: &Source, encoding: Encoding, path: &SitePath) -> Option<ETag> {
        let key = keys::variant(&self.id, encoding, path);
        if let Some(etag) = self.copy(source, &key, None).await {
            return Some(etag);
        }
        let get = Get { if_match: Some(source.etag.clone()), ..Get::default() };
        let moved = async {
            let (_, bytes) = self.store.get(&source.key, get).await?.read(LARGEST_MOVED).await?;
            let put = Put { pace: Some(self.pace.clone()), ..Put::default() };
            self.store.put(&key, Content::Bytes(bytes), put).await
        };
        match moved.await {
            Ok(etag) => Some(etag),
            Err(error) => {
                tracing::debug!(%error, key = %source.key, "a variant could not be taken over");
                None
            }
        }
    }

    async fn upload_variant(&self, copy: Compressed) -> Result<(SitePath, Encoding, Variant), Stop> {
        let key = keys::variant(&self.id, copy.encoding, &copy.path);
        let put = Put { pace: Some(self.pace.clone()), ..Put::default() };
        let etag = self.store.put(&key, copy.content(), put).await?;
        let variant = Variant { bytes: copy.bytes, sha256: Some(copy.sha256), etag: etag.0 };
        Ok((copy.path.clone(), copy.encoding, variant))
    }
}

/// The files that can become smaller, and the encodings that pay for them.
fn wanted<'a>(
    assets: &'a [Asset],
    encodings: &'a [Encoding],
) -> impl Iterator<Item = (&'a Asset, &'a [Encoding])> {
    let compressible = || assets.iter().filter(|asset| is_compressible(&asset.content_type, asset.bytes));
    let many = compressible().filter(|asset| asset.bytes <= SMALL).count() > MANY;
    let preferred = &encodings[..encodings.len().min(1)];
    compressible().map(move |asset| (asset, if many && asset.bytes <= SMALL { preferred } else { encodings }))
}

fn gathered(made: Vec<(SitePath, Encoding, Variant)>) -> Variants {
    let mut variants = Variants::new();
    for (path, encoding, variant) in made {
        variants.entry(path).or_default().insert(encoding, variant);
    }
    variants
}

/// Enters variants into the files that they belong to.
pub(super) fn enter(
    files: &mut BTreeMap<SitePath, File>,
    variants: impl IntoIterator<Item = (SitePath, BTreeMap<Encoding, Variant>)>,
) {
    for (path, variants) in variants {
        if let Some(file) = files.get_mut(&path) {
            file.variants.extend(variants);
        }
    }
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::hash::Sha256;

    use super::*;

    fn page(number: usize, bytes: u64) -> Asset {
        Asset {
            path: format!("{number}.html").parse().unwrap(),
            real: format!("/site/{number}.html").into(),
            bytes,
            sha256: Sha256::of(b""),
            content_type: "text/html; charset=utf-8".to_owned(),
            link: None,
        }
    }

    #[test]
    fn of_many_small_files_only_the_preferred_encoding_is_made() {
        let made = |count: usize| {
            let mut assets: Vec<_> = (1..=count).map(|number| page(number, SMALL)).collect();
            assets.push(page(0, SMALL + 1));
            let made = wanted(&assets, &Encoding::ALL).map(|(_, encodings)| encodings.to_vec());
            made.collect::<Vec<_>>()
        };
        assert!(made(MANY).iter().all(|encodings| encodings == &Encoding::ALL));
        let of_many = made(MANY + 1);
        let (large, small) = of_many.split_last().unwrap();
        assert_eq!(large, &Encoding::ALL);
        assert!(small.iter().all(|encodings| encodings == &[Encoding::Br]));
    }

    #[test]
    fn an_operator_who_wants_no_encoding_gets_none() {
        let assets: Vec<_> = (0..=MANY).map(|number| page(number, SMALL)).collect();
        assert!(wanted(&assets, &[]).all(|(_, encodings)| encodings.is_empty()));
    }
}
