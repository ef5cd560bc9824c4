//! Uploads the files of a site, many at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::File;
use gitdeploy_core::{FailureCode, Key, Phase, SitePath};
use gitdeploy_store::{Content, Copy, ETag, Put};

use super::known::Source;
use super::{AT_ONCE, Asset, Publication};
use crate::stop::{Stop, disk};

/// Up to this size a file is sent from memory; in bytes.
const IN_MEMORY: u64 = 8 << 20;

/// Progress is told each time so many files are done.
const PROGRESS: u64 = 50;

/// Where a file is uploaded to.
pub(super) struct Target {
    pub(super) key: Key,
    /// Where the store has the same content already.
    pub(super) source: Option<Source>,
}

impl Publication<'_> {
    /// Uploads files to their targets, pages after everything that they need.
    pub(super) async fn upload<'f>(
        &self,
        assets: impl Iterator<Item = &'f Asset>,
        target: impl Fn(&Asset) -> Target,
    ) -> Result<BTreeMap<SitePath, File>, Stop> {
        let (pages, others): (Vec<_>, Vec<_>) = assets.partition(|asset| asset.is_page());
        let total = (pages.len() + others.len()) as u64;
        let done = AtomicU64::new(0);
        let mut uploaded = BTreeMap::new();
        for group in [others, pages] {
            let uploads = group.into_iter().map(|asset| {
                let target = target(asset);
                let done = &done;
                async move {
                    let entry = self.upload_one(asset, &target).await?;
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(PROGRESS) {
                        self.recorder.progress(Phase::Upload, done, Some(total), "files");
                    }
                    Ok::<_, Stop>((asset.path.clone(), entry))
                }
            });
            uploaded.extend(stream::iter(uploads).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?);
        }
        Ok(uploaded)
    }

    async fn upload_one(&self, asset: &Asset, target: &Target) -> Result<File, Stop> {
        let copied = match &target.source {
            Some(source) => self.copy(source, &target.key, Some(asset.content_type.clone())).await,
            None => None,
        };
        let etag = match copied {
            Some(etag) => etag,
            None => self.send(asset, &target.key).await?,
        };
        Ok(File {
            bytes: asset.bytes,
            sha256: asset.sha256,
            etag: etag.0,
            content_type: asset.content_type.clone(),
            variants: BTreeMap::new(),
            cache: self.site.names.caching(&asset.path),
            link: asset.link.clone(),
            staged: None,
        })
    }

    /// Copies an object inside of the store; none: the store cannot do that with this one.
    pub(super) async fn copy(&self, source: &Source, to: &Key, content_type: Option<String>) -> Option<ETag> {
        let copy = Copy { content_type, pace: Some(self.pace.clone()) };
        match self.store.copy(&source.key, &source.etag, to, copy).await {
            Ok(etag) => Some(etag),
            Err(error) => {
                tracing::debug!(%error, key = %source.key, "an object could not be copied");
                None
            }
        }
    }

    async fn send(&self, asset: &Asset, key: &Key) -> Result<ETag, Stop> {
        let content = if asset.bytes <= IN_MEMORY {
            let content = tokio::fs::read(&asset.real).await.map_err(disk("cannot read the output"))?;
            if Sha256::of(&content) != asset.sha256 {
                let cause = format!("`{}` changed while it was published", asset.path);
                return Err(Stop::platform(FailureCode::BuilderFailed, cause));
            }
            Content::Bytes(content.into())
        } else {
            Content::File(asset.real.clone())
        };
        let content_type = Some(asset.content_type.clone());
        let put = Put { content_type, pace: Some(self.pace.clone()), ..Put::default() };
        Ok(self.store.put(key, content, put).await?)
    }
}
