//! A bucket's objects in the order in which S3 lists them.

use std::ops::Bound;

use super::objects::{Bucket, Stored};

/// The objects after a key and, in place of those that share a start up to a delimiter, that start.
pub(super) struct Listing<'a> {
    bucket: &'a Bucket,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    after: String,
}

pub(super) struct Entry {
    pub(super) name: String,
    /// Absent: it is the start that several objects share.
    pub(super) object: Option<Stored>,
    /// The last key that the entry stands for.
    pub(super) last: String,
}

impl<'a> Listing<'a> {
    pub(super) fn new(bucket: &'a Bucket, prefix: &'a str, delimiter: Option<&'a str>, after: &str) -> Self {
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        Self { bucket, prefix, delimiter, after: after.to_owned() }
    }
}

impl Iterator for Listing<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let start = match self.after.as_str() {
            after if after < self.prefix => Bound::Included(self.prefix),
            after => Bound::Excluded(after),
        };
        let mut rest = self.bucket.range::<str, _>((start, Bound::Unbounded));
        let (key, stored) = rest.next().filter(|(key, _)| key.starts_with(self.prefix))?;
        let shared = self.delimiter.and_then(|delimiter| {
            let end = self.prefix.len() + key[self.prefix.len()..].find(delimiter)? + delimiter.len();
            Some(&key[..end])
        });
        let (name, object, last) = match shared {
            None => (key.as_str(), Some(stored.clone()), key),
            Some(shared) => (
                shared,
                None,
                rest.map(|(key, _)| key).take_while(|key| key.starts_with(shared)).last().unwrap_or(key),
            ),
        };
        self.after.clone_from(last);
        Some(Entry { name: name.to_owned(), object, last: last.clone() })
    }
}
