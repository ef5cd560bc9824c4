//! What a host leads to, and what is found there.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::Caching;
use gitdeploy_core::{BuildStatus, Manifest, OutputId, SitePath};
use gitdeploy_store::ETag;

use crate::dictionary;
use crate::file::File;
use crate::resolve::{self, Resolution};

/// What a host leads to.
#[derive(Debug, Clone)]
pub(crate) enum Site {
    /// A deployment with a manifest.
    Published(Arc<Published>),
    /// A prefix that may have been filled without us.
    Plain(OutputId),
    /// A deployment that is not finished, or that failed.
    Unfinished(Arc<BuildStatus>),
    /// Nothing.
    Absent,
}

/// A deployment with a manifest.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) manifest: Manifest,
    /// The files that were asked for.
    files: BTreeMap<SitePath, OnceLock<Arc<File>>>,
    /// Where the contents of its files are that may be dictionaries.
    dictionaries: OnceLock<HashMap<Sha256, SitePath>>,
    /// What the store calls the manifest.
    pub(crate) etag: ETag,
    /// The manifest's size in the store.
    bytes: usize,
}

/// What a path leads to.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// A file.
    File(Arc<File>),
    /// Another path, decoded.
    Redirect(String),
    /// Nothing, which the site may say with a page of its own.
    Missing(Option<Arc<File>>),
    /// Nothing, nor is there any sign of a site.
    NoSite,
}

impl Site {
    /// What its files are filed under.
    pub(crate) fn id(&self) -> Option<&OutputId> {
        match self {
            Self::Published(published) => Some(&published.manifest.id),
            Self::Plain(id) => Some(id),
            Self::Unfinished(_) | Self::Absent => None,
        }
    }
}

impl Published {
    /// A deployment by its manifest, what the store calls that, and its size there in bytes.
    pub(crate) fn new(manifest: Manifest, etag: ETag, bytes: usize) -> Self {
        let files = manifest.files.keys().map(|path| (path.clone(), OnceLock::new())).collect();
        Self { manifest, files, dictionaries: OnceLock::new(), etag, bytes }
    }

    /// About what it takes in memory, in bytes: maps and numbers are larger there than as text, and what is said of the
    /// files that were asked for takes as much again.
    pub(crate) fn weight(&self) -> usize {
        4 * self.bytes
    }

    /// The file of this content, if it may be a dictionary.
    pub(crate) fn dictionary(&self, sha256: &Sha256) -> Option<Arc<File>> {
        let dictionaries = self.dictionaries.get_or_init(|| {
            let files = self.manifest.files.iter().filter(|(_, file)| file.bytes <= dictionary::LARGEST);
            let immutable = files.filter(|(_, file)| file.cache == Caching::Immutable);
            immutable.map(|(path, file)| (file.sha256, path.clone())).collect()
        });
        self.file(dictionaries.get(sha256)?)
    }

    /// What `path`, decoded, leads to.
    pub(crate) fn find(&self, path: &str) -> Found {
        let files = &self.manifest.files;
        match resolve::resolve(path, |path| files.contains_key(path)) {
            Resolution::Redirect(to) => Found::Redirect(to),
            Resolution::File(path) => self.file(&path).map_or(Found::Missing(None), Found::File),
            Resolution::Missing => {
                let page = resolve::not_found_page(path, usize::MAX, |path| files.contains_key(path));
                Found::Missing(page.and_then(|page| self.file(&page)))
            }
        }
    }

    fn file(&self, path: &SitePath) -> Option<Arc<File>> {
        let (entry, file) = (self.files.get(path)?, self.manifest.files.get(path)?);
        Some(Arc::clone(entry.get_or_init(|| Arc::new(File::of_manifest(&self.manifest, path, file)))))
    }
}
