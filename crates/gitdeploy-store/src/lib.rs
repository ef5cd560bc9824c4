//! Bytes by key: in memory, in a directory or in S3.
//!
//! What a caller may rely on, whatever is behind it: an object is seen whole or not at all; whoever has
//! written an object reads it; of several conditional writes that start from the same state exactly one wins.

mod config;
mod memory;
mod object;

use std::sync::Arc;

use bytes::Bytes;
use gitdeploy_core::{Key, KeyPrefix};

pub use config::StoreConfig;
pub use object::{
    ByteRange, Content, ETag, Get, Meta, Object, ObjectBody, Page, Precondition, Put, StoreError,
};

/// Where the objects are. Clones share the same store.
#[derive(Debug, Clone)]
pub struct ObjectStore(Arc<Backend>);

#[derive(Debug)]
enum Backend {
    Memory(memory::Memory),
}

impl ObjectStore {
    /// An empty store that ends with the process.
    pub fn memory() -> Self {
        Self(Arc::new(Backend::Memory(memory::Memory::default())))
    }

    /// The object at `key`, or the part of it that `get` asks for.
    pub async fn get(&self, key: &Key, get: Get) -> Result<Object, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.get(key, get),
        }
    }

    /// What [`ObjectStore::get`] says about an object, without its body.
    pub async fn head(&self, key: &Key) -> Result<Meta, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.head(key),
        }
    }

    /// Writes an object whole and returns the name of its new content.
    pub async fn put(&self, key: &Key, content: Content, put: Put) -> Result<ETag, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.put(key, content, put).await,
        }
    }

    /// Up to 1,000 objects whose keys start with `prefix`, in the order of their keys' bytes, after the
    /// page whose `next` is given.
    pub async fn list(&self, prefix: &KeyPrefix, after: Option<&str>) -> Result<Page, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.list(prefix, after),
        }
    }

    /// Removes an object; one that is not there is no error.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.delete(key),
        }
    }

    /// The whole content of a small object, such as a manifest, of at most `limit` bytes.
    pub async fn read(&self, key: &Key, limit: u64) -> Result<(Meta, Bytes), StoreError> {
        self.get(key, Get::default()).await?.read(limit).await
    }
}
