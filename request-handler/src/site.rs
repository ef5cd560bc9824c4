//! What a host leads to, and what is found there.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::Caching;
use gitdeploy_core::rules::Serve;
use gitdeploy_core::{BuildStatus, Manifest, OutputId, ProjectId, SitePath};
use gitdeploy_store::ETag;

use crate::dictionary;
use crate::file::File;
use crate::header_rules::HeaderRules;
use crate::redirects::Redirects;
use crate::resolve::{self, NOT_FOUND_PAGE, Pages};

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
    /// Without its rules, which are below.
    pub(crate) manifest: Manifest,
    pub(crate) redirects: Redirects,
    pub(crate) header_rules: HeaderRules,
    pub(crate) serve: Serve,
    /// The files that were asked for.
    files: BTreeMap<SitePath, OnceLock<Arc<File>>>,
    /// Whether it has a page for what it has not, anywhere.
    has_not_found_page: bool,
    /// The file that visitors of `/` see.
    front: OnceLock<Option<String>>,
    /// Where the contents of its files are that may be dictionaries.
    dictionaries: OnceLock<HashMap<Sha256, SitePath>>,
    /// What the store calls the manifest.
    pub(crate) etag: ETag,
    /// The manifest's size in the store.
    bytes: usize,
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

    /// The project that it is one of, as far as is known.
    pub(crate) fn project(&self) -> Option<&ProjectId> {
        match self {
            Self::Published(published) => published.manifest.project.as_ref(),
            Self::Unfinished(status) => Some(&status.project),
            Self::Plain(_) | Self::Absent => None,
        }
    }
}

impl Published {
    /// What a manifest says, which the store calls `etag` and which has `bytes` bytes there.
    pub(crate) fn new(mut manifest: Manifest, etag: ETag, bytes: usize) -> Self {
        let redirects = Redirects::new(std::mem::take(&mut manifest.rules.redirects));
        let header_rules = HeaderRules::new(&std::mem::take(&mut manifest.rules.headers));
        let serve = manifest.rules.serve;
        let files = manifest.files.keys().map(|path| (path.clone(), OnceLock::new())).collect();
        let has_not_found_page = manifest.files.keys().any(|path| path.file_name() == NOT_FOUND_PAGE);
        let (front, dictionaries) = (OnceLock::new(), OnceLock::new());
        Self {
            manifest,
            redirects,
            header_rules,
            serve,
            files,
            has_not_found_page,
            front,
            dictionaries,
            etag,
            bytes,
        }
    }

    /// The file that visitors of `/` see, if there is one.
    pub(crate) fn front(&self) -> Option<&str> {
        self.front.get_or_init(|| self.pages().shown("/index.html")).as_deref()
    }

    /// The site's own page for what is not there, that is nearest to `path`.
    pub(crate) fn not_found_page(&self, path: &str) -> Option<String> {
        self.has_not_found_page.then(|| self.pages().not_found_page(path, usize::MAX)).flatten()
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
        self.file(dictionaries.get(sha256)?.as_str())
    }

    /// Its files as paths name them.
    pub(crate) fn pages(&self) -> Pages<impl FnMut(&str) -> bool> {
        let is_file = |name: &str| self.manifest.files.contains_key(name);
        Pages { handling: self.serve.html_handling, is_file }
    }

    /// The file of a name, if there is one that may be seen.
    pub(crate) fn file(&self, name: &str) -> Option<Arc<File>> {
        if resolve::is_hidden(name) {
            return None;
        }
        let (path, file) = self.manifest.files.get_key_value(name)?;
        let entry = self.files.get(path)?;
        Some(Arc::clone(entry.get_or_init(|| Arc::new(File::of_manifest(&self.manifest, path, file)))))
    }
}
