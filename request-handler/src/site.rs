//! What a host leads to, and what is found there.

use std::sync::Arc;

use gitdeploy_core::manifest;
use gitdeploy_core::{BuildStatus, Key, Manifest, OutputId, SitePath, content_type, keys};
use gitdeploy_store::{ETag, Meta};
use http::HeaderValue;

use crate::resolve::{self, Resolution};
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
    pub(crate) manifest: Manifest,
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

/// What a path leads to.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// A file.
    File(File),
    /// Another path, decoded.
    Redirect(String),
    /// Nothing, which the site may say with a page of its own.
    Missing(Option<File>),
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
    /// About what it takes in memory, in bytes: maps and numbers are larger there than as text.
    pub(crate) fn weight(&self) -> usize {
        2 * self.bytes
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

    fn file(&self, path: &SitePath) -> Option<File> {
        let file = self.manifest.files.get(path)?;
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
