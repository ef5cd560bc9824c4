//! Which representation of a file a visitor gets, and which they may have already.

use bytes::Bytes;
use http::HeaderValue;

use crate::coding::{Accepted, Coding};
use crate::file::{File, Stored, Variant};
use crate::validators::EntityTag;

/// How a file is sent.
pub(crate) enum Representation<'a> {
    /// As it is.
    Identity(&'a Stored),
    /// As the builder has compressed it.
    Variant(&'a Variant),
    /// As it was compressed for those who have an earlier version.
    Made(Bytes, EntityTag),
}

impl Representation<'_> {
    /// What it is called.
    pub(crate) fn tag<'a>(&'a self, file: &'a File) -> Option<&'a EntityTag> {
        match self {
            Self::Identity(_) => file.tag.as_ref(),
            Self::Variant(variant) => Some(&variant.tag),
            Self::Made(_, tag) => Some(tag),
        }
    }

    /// How it is compressed; `None` is not at all.
    pub(crate) fn coding(&self) -> Option<Coding> {
        match self {
            Self::Identity(_) => None,
            Self::Variant(variant) => Some(Coding::Stored(variant.encoding)),
            Self::Made(..) => Some(Coding::Dictionary),
        }
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Identity(stored) => stored.bytes,
            Self::Variant(variant) => variant.stored.bytes,
            Self::Made(bytes, _) => bytes.len() as u64,
        }
    }

    /// The value of `Repr-Digest`. A body that was made for few is not hashed for them.
    pub(crate) fn digest(&self) -> Option<&HeaderValue> {
        match self {
            Self::Identity(stored) => stored.digest.as_ref(),
            Self::Variant(variant) => variant.stored.digest.as_ref(),
            Self::Made(..) => None,
        }
    }
}

/// The representation that a visitor likes best, of those that are in the store.
pub(crate) fn negotiated(file: &File, accepted: Accepted) -> Representation<'_> {
    let best = accepted.best(file.variants.iter().map(|variant| variant.encoding));
    let variant = file.variants.iter().find(|variant| Some(variant.encoding) == best);
    variant.map_or(Representation::Identity(&file.stored), Representation::Variant)
}

/// Whether `tag` is one of the file's, of a representation that the visitor takes.
pub(crate) fn is_taken(file: &File, accepted: Accepted, tag: &EntityTag) -> bool {
    let Some(own) = &file.tag else { return false };
    if tag == own {
        return accepted.takes(None);
    }
    if let Some(variant) = file.variants.iter().find(|variant| variant.tag == *tag) {
        return accepted.takes(Some(Coding::Stored(variant.encoding)));
    }
    let is_made = tag.suffix_to(own).is_some_and(|suffix| suffix.starts_with("dcz-"));
    is_made && file.dictionary.is_some() && accepted.takes(Some(Coding::Dictionary))
}
