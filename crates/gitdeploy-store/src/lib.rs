//! Bytes by key: in memory, in a directory or in S3.
//!
//! What a caller may rely on, whatever is behind it: an object is seen whole or not at all; whoever has
//! written an object reads it; of several conditional writes that start from the same state exactly one wins.

mod config;
mod directory;
mod error;
mod lent;
mod memory;
mod object;
mod pace;
mod probe;
mod s3;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gitdeploy_core::{Key, KeyPrefix};

pub use config::{S3Access, StoreConfig};
pub use error::StoreError;
pub use lent::{Keys, LentKeys, LentKeysSender};
pub use object::{ByteRange, Content, Copy, ETag, Get, Meta, Object, ObjectBody, Page, Precondition, Put};
pub use pace::Pace;
pub use probe::Conditions;

/// Where the objects are. Clones share the same store.
#[derive(Debug, Clone)]
pub struct ObjectStore(Arc<Backend>);

#[derive(Debug)]
enum Backend {
    Memory(memory::Memory),
    Directory(directory::Directory),
    /// Its futures are boxed: the SDK's are so large that whoever waits for one grows by it.
    S3(s3::S3),
}

impl ObjectStore {
    /// The store that the settings select. A directory is made if it is missing; S3 is not asked yet:
    /// see [`ObjectStore::check`].
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        Ok(match (&config.bucket, &config.directory) {
            (Some(bucket), _) => Self::s3(bucket, config, s3::Haste::Patient).await,
            (None, Some(directory)) => Self::directory(directory)?,
            (None, None) => Self::memory(),
        })
    }

    /// Like [`ObjectStore::open`], for a process that only reads, for people who wait: nothing is made or written, so a
    /// directory may belong to somebody else, and what fails is repeated at once.
    pub async fn open_for_reading(config: &StoreConfig) -> Result<Self, StoreError> {
        Ok(match (&config.bucket, &config.directory) {
            (Some(bucket), _) => Self::s3(bucket, config, s3::Haste::Prompt).await,
            (None, Some(root)) => {
                Self(Arc::new(Backend::Directory(directory::Directory::for_reading(root)?)))
            }
            (None, None) => Self::memory(),
        })
    }

    async fn s3(bucket: &str, config: &StoreConfig, haste: s3::Haste) -> Self {
        Self(Arc::new(Backend::S3(Box::pin(s3::S3::open(bucket, config, haste)).await)))
    }

    /// An empty store that ends with the process.
    pub fn memory() -> Self {
        Self(Arc::new(Backend::Memory(memory::Memory::default())))
    }

    /// The objects below a directory, which is made if it is missing. Any number of processes may use it.
    pub fn directory(root: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Backend::Directory(directory::Directory::open(root.as_ref())?))))
    }

    /// Whether the store can be reached. That an object is missing or refused to us is an answer; a missing
    /// bucket or a key that the store does not know is an error, for nothing can come of it.
    pub async fn check(&self) -> Result<(), StoreError> {
        match &*self.0 {
            Backend::Memory(_) => Ok(()),
            Backend::Directory(directory) => directory.check().await,
            Backend::S3(s3) => Box::pin(s3.check()).await,
        }
    }

    /// What the store does with the conditions of writes, found out with a small object of its own that is
    /// removed again. For the process that writes routes: with a store that does not keep conditions it must
    /// not start, which is an error unless the settings say that there is a single writer. What a probe leaves
    /// that was killed does no harm.
    pub async fn probe(&self) -> Result<Conditions, StoreError> {
        match &*self.0 {
            Backend::Memory(_) | Backend::Directory(_) => Ok(Conditions::Kept),
            Backend::S3(s3) => Box::pin(s3.probe()).await,
        }
    }

    /// The store as a person would name it, such as ``S3 bucket `sites` ``.
    pub fn describe(&self) -> String {
        match &*self.0 {
            Backend::Memory(_) => "memory".to_owned(),
            Backend::Directory(directory) => directory.describe(),
            Backend::S3(s3) => s3.describe(),
        }
    }

    /// The object at `key`, or the part of it that `get` asks for.
    pub async fn get(&self, key: &Key, get: Get) -> Result<Object, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.get(key, &get),
            Backend::Directory(directory) => directory.get(key, get).await,
            Backend::S3(s3) => Box::pin(s3.get(key, get)).await,
        }
    }

    /// What [`ObjectStore::get`] says about an object, without its body.
    pub async fn head(&self, key: &Key) -> Result<Meta, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.head(key),
            Backend::Directory(directory) => directory.head(key).await,
            Backend::S3(s3) => Box::pin(s3.head(key)).await,
        }
    }

    /// Writes an object whole and returns the name of its new content.
    pub async fn put(&self, key: &Key, content: Content, put: Put) -> Result<ETag, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.put(key, content, put).await,
            Backend::Directory(directory) => directory.put(key, content, put).await,
            Backend::S3(s3) => Box::pin(s3.put(key, content, put)).await,
        }
    }

    /// Writes the content of another object, which must be called `etag`; else [`StoreError::Changed`]. Nothing of
    /// it comes to this process. What was at `to` is replaced, whatever it was.
    pub async fn copy(&self, from: &Key, etag: &ETag, to: &Key, copy: Copy) -> Result<ETag, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => memory.copy(from, etag, to, copy).await,
            Backend::Directory(directory) => directory.copy(from, etag, to).await,
            Backend::S3(s3) => Box::pin(s3.copy(from, etag, to, copy)).await,
        }
    }

    /// Up to 1,000 objects whose keys start with `prefix`, in the order of their keys' bytes, after the
    /// page whose `next` is given.
    pub async fn list(&self, prefix: &KeyPrefix, after: Option<&str>) -> Result<Page, StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => Ok(memory.list(prefix, after)),
            Backend::Directory(directory) => directory.list(prefix, after).await,
            Backend::S3(s3) => Box::pin(s3.list(prefix, after)).await,
        }
    }

    /// Removes an object; one that is not there is no error.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match &*self.0 {
            Backend::Memory(memory) => {
                memory.delete(key);
                Ok(())
            }
            Backend::Directory(directory) => directory.delete(key).await,
            Backend::S3(s3) => Box::pin(s3.delete(key)).await,
        }
    }

    /// The whole content of a small object, such as a manifest, of at most `limit` bytes.
    pub async fn read(&self, key: &Key, limit: u64) -> Result<(Meta, Bytes), StoreError> {
        self.get(key, Get::default()).await?.read(limit).await
    }
}
