//! Objects as files: the key is the path below a root, so that a person can look at them.
//!
//! A file is written under a temporary name, synced and renamed. Readers therefore see a whole object or
//! none, and one that is being read stays as it was for its reader, whatever is written meanwhile. Several
//! processes may write to one root: a file lock makes checking and replacing one step.

mod list;
mod lock;
mod read;
mod write;

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gitdeploy_core::{Key, KeyPrefix};

use crate::error::StoreError;
use crate::object::{Content, ETag, Get, Meta, Object, Page, Put};

/// Where files are written before they get their names.
const TEMPORARY: &str = ".tmp";

#[derive(Debug)]
pub(crate) struct Directory {
    root: Arc<Path>,
}

impl Directory {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(root).map_err(|error| cannot("find", root, error))?;
        std::fs::create_dir_all(root.join(TEMPORARY))
            .map_err(|error| cannot("make the directory", &root, error))?;
        write::remove_leftovers(&root);
        lock::Lock::shared(&root)
            .and_then(|_| write::temporary(&root))
            .map_err(|error| cannot("write to the directory", &root, error))?;
        Ok(Self { root: root.into() })
    }

    pub(crate) fn for_reading(root: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(root).map_err(|error| cannot("find", root, error))?;
        Ok(Self { root: root.into() })
    }

    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        match tokio::fs::metadata(&self.root).await {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(cannot("use", &self.root, io::ErrorKind::NotADirectory.into())),
            Err(error) => Err(cannot("find", &self.root, error)),
        }
    }

    pub(crate) fn describe(&self) -> String {
        format!("directory `{}`", self.root.display())
    }

    pub(crate) async fn get(&self, key: &Key, get: Get) -> Result<Object, StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || read::get(&root, &key, &get)).await
    }

    pub(crate) async fn head(&self, key: &Key) -> Result<Meta, StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || read::open(&root, &key).map(|(_, meta)| meta)).await
    }

    pub(crate) async fn put(&self, key: &Key, content: Content, put: Put) -> Result<ETag, StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || write::put(&root, &key, &content, &put.precondition)).await
    }

    pub(crate) async fn copy(&self, from: &Key, etag: &ETag, to: &Key) -> Result<ETag, StoreError> {
        let (root, from, etag, to) = (Arc::clone(&self.root), from.clone(), etag.clone(), to.clone());
        blocking(move || write::copy(&root, &from, &etag, &to)).await
    }

    pub(crate) async fn list(&self, prefix: &KeyPrefix, after: Option<&str>) -> Result<Page, StoreError> {
        let (root, prefix, after) = (Arc::clone(&self.root), prefix.clone(), after.map(str::to_owned));
        blocking(move || list::list(&root, &prefix, after.as_deref())).await
    }

    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || write::delete(&root, &key)).await
    }
}

/// Runs file I/O where it may block. It runs to its end even when nobody waits for it any longer.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(StoreError::unavailable("the process is stopping", error)),
        },
    }
}

/// Where an object is, unless its key would meet our own files.
fn path(root: &Path, key: &Key) -> Option<PathBuf> {
    let first = key.as_str().split('/').next();
    let ours = [TEMPORARY, lock::NAME].map(Some).contains(&first);
    (!ours).then(|| root.join(key.as_str()))
}

/// The name of a file's content: when it was written, to the nanosecond, and its size.
///
/// That is enough because a file is never written to under its name: other content is another file, whose
/// time `write::put` takes from the clock when the content is complete (a file system's own time stamps may
/// be the same for some milliseconds). Who replaces content it has seen does so at a later nanosecond. The
/// inode's number is left out on purpose: it is given again to later files, and a copy of the directory made
/// with `cp -a` keeps times but not numbers; manifests, which hold these names, stay true in the copy.
fn etag(metadata: &Metadata) -> ETag {
    ETag(format!("\"{:x}-{:x}-{:x}\"", metadata.mtime(), metadata.mtime_nsec(), metadata.size()))
}

fn cannot(what: &str, path: &Path, error: io::Error) -> StoreError {
    StoreError::unavailable(format!("cannot {what} `{}`", path.display()), error)
}
