//! What a host leads to, and what is found there.

use std::sync::Arc;

use gitdeploy_core::manifest;
use gitdeploy_core::rules::Serve;
use gitdeploy_core::{BuildStatus, Key, Manifest, OutputId, SitePath, content_type, keys};
use gitdeploy_store::{ETag, Meta};
use http::HeaderValue;

use crate::header_rules::HeaderRules;
use crate::redirects::Redirects;
use crate::resolve::{self, Pages};
use crate::validators::EntityTag;

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
    /// What the store calls the manifest.
    pub(crate) etag: ETag,
    /// The manifest's size in the store.
    pub(crate) bytes: usize,
}

/// A file that can be sent.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Where it is in the site.
    pub(crate) path: SitePath,
    /// Where it is in the store.
    pub(crate) key: Key,
    /// What the store calls its content.
    pub(crate) etag: ETag,
    /// Its size.
    pub(crate) bytes: u64,
    /// The value of `Content-Type`.
    pub(crate) content_type: HeaderValue,
    /// What its content is called outside; absent if the store calls it nothing usable.
    pub(crate) tag: Option<EntityTag>,
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
    /// What a manifest says, which the store calls `etag` and which has `bytes` bytes there.
    pub(crate) fn new(mut manifest: Manifest, etag: ETag, bytes: usize) -> Self {
        let redirects = Redirects::new(std::mem::take(&mut manifest.rules.redirects));
        let header_rules = HeaderRules::new(&std::mem::take(&mut manifest.rules.headers));
        let serve = manifest.rules.serve;
        Self { manifest, redirects, header_rules, serve, etag, bytes }
    }

    /// About what it takes in memory, in bytes: maps and numbers are larger there than as text.
    pub(crate) fn weight(&self) -> usize {
        2 * self.bytes
    }

    /// Its files as paths name them.
    pub(crate) fn pages(&self) -> Pages<impl FnMut(&str) -> bool> {
        let is_file = |name: &str| self.manifest.files.contains_key(name);
        Pages { handling: self.serve.html_handling, is_file }
    }

    /// The file of a name, if there is one that may be seen.
    pub(crate) fn file(&self, name: &str) -> Option<File> {
        let (path, file) = self.manifest.files.get_key_value(name)?;
        if resolve::is_hidden(name) {
            return None;
        }
        Some(File {
            path: path.clone(),
            key: self.manifest.key_of(path, file),
            etag: ETag(file.etag.clone()),
            bytes: file.bytes,
            content_type: header_value(&file.content_type),
            tag: visitors_tag(file),
        })
    }
}

impl File {
    /// A file of which only the store knows.
    pub(crate) fn of_store(id: &OutputId, path: &SitePath, meta: Meta) -> Self {
        let named = content_type::of(path.file_name());
        let content_type = match meta.content_type {
            Some(stored) if named == content_type::UNKNOWN => header_value(&stored),
            _ => header_value(&named),
        };
        let tag = EntityTag::new(&meta.etag.0);
        Self {
            path: path.clone(),
            key: keys::output(id, path),
            etag: meta.etag,
            bytes: meta.bytes,
            content_type,
            tag,
        }
    }
}

/// Half of the hash: 128 bits tell contents apart, and the header stays short.
fn visitors_tag(file: &manifest::File) -> Option<EntityTag> {
    EntityTag::new(&format!("\"{}\"", &file.sha256.to_string()[..32]))
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(content_type::UNKNOWN))
}
