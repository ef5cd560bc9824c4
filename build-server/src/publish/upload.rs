//! Uploads the files of a site, many at a time.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gitdeploy_core::hash::{Hasher, Sha256};
use gitdeploy_core::manifest::File;
use gitdeploy_core::{Key, Phase, SitePath, content_type};
use gitdeploy_store::{Content, Put};

use super::Publication;
use crate::output::SiteFile;
use crate::stop::{Stop, disk};

/// How many files are on their way at the same time.
const AT_ONCE: usize = 64;

/// Up to this size a file is read once, hashed and sent from memory; in bytes.
const IN_MEMORY: u64 = 8 << 20;

/// Progress is told each time so many files are done.
const PROGRESS: u64 = 50;

impl Publication<'_> {
    /// Uploads files to the keys that `key` gives them, pages after everything that they need.
    pub(super) async fn upload<'f>(
        &self,
        files: impl Iterator<Item = &'f SiteFile>,
        key: impl Fn(&SitePath) -> Key,
    ) -> Result<BTreeMap<SitePath, File>, Stop> {
        let (pages, others): (Vec<_>, Vec<_>) = files.partition(|file| is_page(&file.path));
        let total = (pages.len() + others.len()) as u64;
        let done = AtomicU64::new(0);
        let mut uploaded = BTreeMap::new();
        for group in [others, pages] {
            let uploads = group.into_iter().map(|file| {
                let key = key(&file.path);
                let done = &done;
                async move {
                    let entry = self.upload_one(file, &key).await?;
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(PROGRESS) {
                        self.recorder.progress(Phase::Upload, done, Some(total), "files");
                    }
                    Ok::<_, Stop>((file.path.clone(), entry))
                }
            });
            let group = stream::iter(uploads).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
            let group = tokio::select! {
                group = group => group?,
                () = self.cancel.cancelled() => return Err(Stop::canceled()),
            };
            uploaded.extend(group);
        }
        Ok(uploaded)
    }

    async fn upload_one(&self, file: &SiteFile, key: &Key) -> Result<File, Stop> {
        let content_type = content_type::of(file.path.file_name());
        let put = Put { content_type: Some(content_type.clone()), ..Put::default() };
        let (content, sha256, bytes) = if file.bytes <= IN_MEMORY {
            let content = tokio::fs::read(&file.real).await.map_err(disk("cannot read the output"))?;
            let (sha256, bytes) = (Sha256::of(&content), content.len() as u64);
            (Content::Bytes(content.into()), sha256, bytes)
        } else {
            (Content::File(file.real.clone()), hash(file).await?, file.bytes)
        };
        let etag = self.store.put(key, content, put).await?;
        let (variants, cache) = (BTreeMap::new(), self.site.names.caching(&file.path));
        Ok(File { bytes, sha256, etag: etag.0, content_type, variants, cache, staged: None })
    }
}

/// The hash of a file's content, of whatever size.
pub(super) async fn hash(file: &SiteFile) -> Result<Sha256, Stop> {
    let real = file.real.clone();
    let hash = tokio::task::spawn_blocking(move || -> std::io::Result<Sha256> {
        let mut content = std::fs::File::open(real)?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                bytes => hasher.update(&buffer[..bytes]),
            }
        }
    });
    hash.await.map_err(std::io::Error::from).flatten().map_err(disk("cannot read the output"))
}

fn is_page(path: &SitePath) -> bool {
    content_type::of(path.file_name()).starts_with("text/html")
}
