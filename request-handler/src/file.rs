//! A file as it is sent. What is the same in every answer is made once, when the file is first asked for.

use std::sync::Arc;
use std::time::SystemTime;

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::{self, Caching, Encoding};
use gitdeploy_core::{Key, Manifest, OutputId, SitePath, content_type, keys};
use gitdeploy_store::{ETag, Meta};
use http::HeaderValue;

use crate::cache_policy::CachePolicy;
use crate::dictionary;
use crate::digest;
use crate::validators::EntityTag;

/// A file that can be sent.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it is in the site.
    pub(crate) path: SitePath,
    /// Its content in the store.
    pub(crate) stored: Stored,
    /// The value of `Content-Type`.
    pub(crate) content_type: HeaderValue,
    /// How long visitors may keep it.
    pub(crate) policy: CachePolicy,
    /// What its content is called outside; absent if the store calls it nothing usable.
    pub(crate) tag: Option<EntityTag>,
    /// The hash of its content, if that is known.
    pub(crate) sha256: Option<Sha256>,
    /// When it was published, if that is known.
    pub(crate) published: Option<SystemTime>,
    /// Its compressed copies, the preferred one first.
    pub(crate) variants: Vec<Variant>,
    /// What a page needs at once: the value of `Link`.
    pub(crate) link: Option<HeaderValue>,
    /// The value of `Use-As-Dictionary`, if later versions of it can be found by its name.
    pub(crate) dictionary: Option<HeaderValue>,
}

/// A content in the store.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) name: Arc<Name>,
    /// Its size.
    pub(crate) bytes: u64,
    /// The value of `Repr-Digest`, if the hash is known.
    pub(crate) digest: Option<HeaderValue>,
}

/// What a content is asked for by, and kept in memory under.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// Where it is.
    pub(crate) key: Key,
    /// What the store calls it.
    pub(crate) etag: ETag,
}

/// A compressed copy of a file.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) encoding: Encoding,
    pub(crate) stored: Stored,
    pub(crate) tag: EntityTag,
}

impl File {
    /// A file of a deployment.
    pub(crate) fn of_manifest(manifest: &Manifest, path: &SitePath, file: &manifest::File) -> Self {
        let tag = visitors_tag(&file.sha256);
        let stored = Stored {
            name: Name::of(manifest.key_of(path, file), ETag(file.etag.clone())),
            bytes: file.bytes,
            digest: Some(digest::header(&file.sha256)),
        };
        let variants = Encoding::ALL.into_iter().filter_map(|encoding| {
            let variant = file.variants.get(&encoding)?;
            let stored = Stored {
                name: Name::of(keys::variant(&manifest.id, encoding, path), ETag(variant.etag.clone())),
                bytes: variant.bytes,
                digest: variant.sha256.as_ref().map(digest::header),
            };
            Some(Variant { encoding, stored, tag: tag.with_suffix(encoding.as_str()) })
        });
        let variants: Vec<_> = variants.collect();
        // What cannot be compressed is not worth a dictionary, and what is not fresh cannot be one (RFC 9842 §2.1.1).
        let may_be_dictionary =
            file.cache == Caching::Immutable && !variants.is_empty() && file.bytes <= dictionary::LARGEST;
        let dictionary = may_be_dictionary.then(|| dictionary::later_versions(path.as_str())).flatten();
        Self {
            path: path.clone(),
            stored,
            content_type: content_type_header(&file.content_type),
            policy: CachePolicy::of(file.cache),
            tag: Some(tag),
            sha256: Some(file.sha256),
            published: Some(manifest.finished.into()),
            variants,
            link: file.link.as_deref().and_then(|link| HeaderValue::from_str(link).ok()),
            dictionary,
        }
    }

    /// A file of which only the store knows.
    pub(crate) fn of_store(id: &OutputId, path: &SitePath, meta: Meta) -> Self {
        let named = content_type::of(path.file_name());
        let content_type = match meta.content_type {
            Some(stored) if named == content_type::UNKNOWN => content_type_header(&stored),
            _ => content_type_header(&named),
        };
        let tag = EntityTag::new(&meta.etag.0);
        let key = keys::output(id, path);
        Self {
            path: path.clone(),
            stored: Stored { name: Name::of(key, meta.etag), bytes: meta.bytes, digest: None },
            content_type,
            policy: CachePolicy::Revalidate,
            tag,
            sha256: None,
            published: None,
            variants: Vec::new(),
            link: None,
            dictionary: None,
        }
    }
}

impl Name {
    fn of(key: Key, etag: ETag) -> Arc<Self> {
        Arc::new(Self { key, etag })
    }
}

/// Half of the hash: 128 bits tell contents apart, and the header stays short.
fn visitors_tag(sha256: &Sha256) -> EntityTag {
    EntityTag::new(&format!("\"{}\"", &sha256.to_string()[..32])).expect("digits in quotes are a tag")
}

fn content_type_header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(content_type::UNKNOWN))
}
