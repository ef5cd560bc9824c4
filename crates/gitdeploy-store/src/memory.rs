//! Objects in memory: for tests, and for trying a single process without anything.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gitdeploy_core::{Key, KeyPrefix};

use crate::error::StoreError;
use crate::object::{Content, Copy, ETag, Get, Meta, Object, ObjectBody, Page, Precondition, Put};

/// How many objects a page of a listing has, as in S3.
pub(crate) const PAGE: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    objects: Mutex<BTreeMap<String, Stored>>,
    writes: AtomicU64,
}

#[derive(Debug, Clone)]
struct Stored {
    bytes: Bytes,
    meta: Meta,
}

impl Memory {
    pub(crate) fn get(&self, key: &Key, get: &Get) -> Result<Object, StoreError> {
        let Stored { bytes, meta } = self.stored(key)?;
        let (start, end) = get.select(key, &meta)?;
        Ok(Object { meta, body: ObjectBody::Bytes(bytes.slice(index(start)..index(end))) })
    }

    pub(crate) fn head(&self, key: &Key) -> Result<Meta, StoreError> {
        Ok(self.stored(key)?.meta)
    }

    pub(crate) async fn put(&self, key: &Key, content: Content, put: Put) -> Result<ETag, StoreError> {
        let bytes = match content {
            Content::Bytes(bytes) => bytes,
            Content::File(path) => tokio::fs::read(&path)
                .await
                .map_err(|error| StoreError::unavailable(format!("cannot read `{}`", path.display()), error))?
                .into(),
        };
        let etag = ETag(format!("\"{:x}\"", self.writes.fetch_add(1, Ordering::Relaxed)));
        let mut objects = self.objects.lock().expect("no panic while locked");
        let current = objects.get(key.as_str()).map(|stored| &stored.meta.etag);
        let holds = match &put.precondition {
            Precondition::None => true,
            Precondition::Absent => current.is_none(),
            Precondition::Matches(etag) => current == Some(etag),
        };
        if !holds {
            return Err(StoreError::Changed(key.to_string()));
        }
        let meta = Meta { bytes: bytes.len() as u64, etag: etag.clone(), content_type: put.content_type };
        objects.insert(key.to_string(), Stored { bytes, meta });
        Ok(etag)
    }

    pub(crate) async fn copy(
        &self,
        from: &Key,
        etag: &ETag,
        to: &Key,
        copy: Copy,
    ) -> Result<ETag, StoreError> {
        let Stored { bytes, meta } = self.stored(from)?;
        Get { if_match: Some(etag.clone()), ..Get::default() }.check(from, &meta)?;
        let put = Put { content_type: copy.content_type, ..Put::default() };
        self.put(to, Content::Bytes(bytes), put).await
    }

    pub(crate) fn list(&self, prefix: &KeyPrefix, after: Option<&str>) -> Page {
        let objects = self.objects.lock().expect("no panic while locked");
        let start = after.map_or(Bound::Included(prefix.as_str()), Bound::Excluded);
        let mut found = objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix.as_str()))
            .filter_map(|(key, stored)| Some((Key::from_listing(key)?, stored.meta.bytes)));
        let page: Vec<_> = found.by_ref().take(PAGE).collect();
        let next = found.next().and(page.last()).map(|(key, _)| key.to_string());
        Page { objects: page, next }
    }

    pub(crate) fn delete(&self, key: &Key) {
        self.objects.lock().expect("no panic while locked").remove(key.as_str());
    }

    fn stored(&self, key: &Key) -> Result<Stored, StoreError> {
        let objects = self.objects.lock().expect("no panic while locked");
        objects.get(key.as_str()).cloned().ok_or_else(|| StoreError::NotFound(key.to_string()))
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset into memory fits")
}
