//! Files of a site whose content is known.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use gitdeploy_core::hash::{Hasher, Sha256};
use gitdeploy_core::{SitePath, content_type};

use crate::output::SiteFile;
use crate::site::Preloads;
use crate::stop::{Stop, disk};

/// How much of a file is read at once, in bytes.
const PIECE: usize = 256 * 1024;

/// A file of a site whose content is known.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) path: SitePath,
    /// Where it is, with all links resolved.
    pub(crate) real: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) sha256: Sha256,
    pub(crate) content_type: String,
    /// What a page needs at once: the value of `Link`.
    pub(crate) link: Option<String>,
}

impl Asset {
    /// Reads what `files` contain, on all cores. The order stays.
    pub(crate) async fn of(files: Vec<SiteFile>) -> Result<Vec<Self>, Stop> {
        let reading = tokio::task::spawn_blocking(move || read_all(files));
        reading.await.map_err(std::io::Error::from).flatten().map_err(disk("cannot read the output"))
    }

    /// Whether visitors look at it, and need the others for it.
    pub(super) fn is_page(&self) -> bool {
        self.content_type.starts_with("text/html")
    }
}

fn read_all(files: Vec<SiteFile>) -> std::io::Result<Vec<Asset>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(cores).max(1);
    let preloads = Preloads::new(files.iter().map(|file| &file.path));
    let read = |file: &SiteFile| Ok((hash(&file.real)?, preloads.of(file)));
    let shares = std::thread::scope(|scope| {
        let threads: Vec<_> =
            files.chunks(share).map(|share| scope.spawn(move || share.iter().map(read).collect())).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("reading does not panic"));
        joined.collect::<std::io::Result<Vec<Vec<(Sha256, Option<String>)>>>>()
    });
    drop(preloads);
    let assets = files.into_iter().zip(shares?.into_iter().flatten()).map(|(file, (sha256, link))| {
        let SiteFile { path, real, bytes } = file;
        let content_type = content_type::of(path.file_name()).into_owned();
        Asset { path, real, bytes, sha256, content_type, link }
    });
    Ok(assets.collect())
}

fn hash(path: &Path) -> std::io::Result<Sha256> {
    let mut content = File::open(path)?;
    let size = usize::try_from(content.metadata()?.len()).unwrap_or(PIECE);
    let mut buffer = vec![0; size.clamp(1, PIECE)];
    let mut hasher = Hasher::default();
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            bytes => hasher.update(&buffer[..bytes]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_file_is_read_and_the_order_stays() {
        let site = tempfile::tempdir().unwrap();
        let files = (0..100).map(|number| {
            let (name, content) = (format!("{number}.css"), number.to_string().repeat(number * 1000));
            std::fs::write(site.path().join(&name), &content).unwrap();
            (name, content)
        });
        let files: Vec<_> = files.collect();
        let listed = files.iter().map(|(name, content)| SiteFile {
            path: name.parse().unwrap(),
            real: site.path().join(name),
            bytes: content.len() as u64,
        });
        let assets = Asset::of(listed.collect()).await.unwrap();
        assert_eq!(assets.len(), files.len());
        for (asset, (name, content)) in assets.iter().zip(&files) {
            assert_eq!(asset.path.as_str(), name);
            assert_eq!(asset.sha256, Sha256::of(content.as_bytes()));
            assert!(!asset.is_page());
        }
        assert!(Asset::of(Vec::new()).await.unwrap().is_empty());
    }
}
