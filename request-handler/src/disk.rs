//! Files on disk, for what memory does not hold and the store is far away from.
//!
//! Names here are never given to another content, so nothing is ever old. Whatever fails here is as if it were not
//! there: then the store is asked.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foyer::{BlockEngineConfig, DeviceBuilder as _, FsDeviceBuilder, HybridCache, HybridCacheBuilder};
use gitdeploy_runtime::SettingError;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::Config;
use crate::file::Name;

/// What is written, and given up for new files, at once, in bytes: more than the largest file that is kept.
const BLOCK: usize = 16 << 20;

/// The least that is enough for some blocks, in bytes.
const LEAST: u64 = 8 * BLOCK as u64;

/// How many bytes may wait to be written. What comes while as many do is not kept.
const WAITING: usize = 32 << 20;

/// How long a file may take to be read. The store is hardly slower.
const PATIENCE: Duration = Duration::from_secs(1);

/// Files on disk. Clones share them.
#[derive(Debug, Clone)]
pub struct Disk {
    files: HybridCache<String, Bytes>,
    /// Held for as long as the directory is ours.
    _lock: Arc<File>,
}

impl Disk {
    /// The files that an earlier process has left in the directory that is set, which is made if it is not there; `None`
    /// if none is set. No other process may have it.
    pub async fn open(config: &Config) -> Result<Option<Self>, SettingError> {
        let Some(directory) = &config.disk_directory else { return Ok(None) };
        if config.disk_bytes < LEAST {
            return Err(SettingError::new("GITDEPLOY_PROXY_DISK_BYTES", format!("{LEAST} is the least")));
        }
        let invalid = |reason: String| SettingError::new("GITDEPLOY_PROXY_DISK_DIRECTORY", reason);
        let lock = take(directory).map_err(invalid)?;
        let files = open(&directory.join("files"), config.disk_bytes).await;
        let files = files.map_err(|error| {
            invalid(format!("`{}` cannot hold {} bytes: {error:#}", directory.display(), config.disk_bytes))
        })?;
        Ok(Some(Self { files, _lock: Arc::new(lock) }))
    }

    /// The file of this name, if it is here and has as many bytes.
    pub(crate) async fn get(&self, name: &Name, bytes: u64) -> Option<Bytes> {
        match tokio::time::timeout(PATIENCE, self.files.get(&text(name))).await {
            Ok(Ok(found)) => found.map(|file| file.value().clone()).filter(|file| file.len() as u64 == bytes),
            Ok(Err(error)) => {
                tracing::warn!(%error, key = %name.key, "a file on disk cannot be read");
                None
            }
            Err(_) => {
                tracing::warn!(key = %name.key, "the disk takes longer than {PATIENCE:?}");
                None
            }
        }
    }

    /// Writes a file down, in a while.
    pub(crate) fn keep(&self, name: &Name, file: Bytes) {
        // What comes back is for whoever would go on with it in memory.
        drop(self.files.storage_writer(text(name)).insert(file));
    }

    /// Waits until all is written.
    pub async fn close(self) {
        // A task of its own: the cache panics here if the disk has failed it before.
        match tokio::spawn(async move { self.files.close().await }).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "some files are not kept on disk"),
            Err(error) => tracing::warn!(%error, "some files are not kept on disk"),
        }
    }
}

/// Makes the directory ours. Among the files are those of sites with a password, so nobody else may look.
fn take(directory: &Path) -> Result<File, String> {
    let cannot = |error: io::Error| format!("`{}` cannot be used: {error}", directory.display());
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(cannot)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let lock = options.open(directory.join("lock")).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(format!("another proxy uses `{}`; each needs a directory of its own", directory.display()))
        }
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

async fn open(directory: &Path, bytes: u64) -> anyhow::Result<HybridCache<String, Bytes>> {
    let capacity = usize::try_from(bytes).unwrap_or(usize::MAX);
    let device = FsDeviceBuilder::new(directory).with_capacity(capacity).build()?;
    let engine = BlockEngineConfig::new(device)
        .with_block_size(BLOCK)
        .with_buffer_pool_size(WAITING)
        .with_submit_queue_size_threshold(WAITING);
    // What is kept in memory is ours to say, not this one's: it has room for a byte, which is the least.
    let builder = HybridCacheBuilder::new().memory(1).with_shards(1);
    let builder = builder.with_weighter(|_, file: &Bytes| file.len().max(1));
    let files = builder.storage().with_engine_config(engine).build().await?;
    reserve(directory)?;
    Ok(files)
}

/// Takes all the space at once, so that a disk that is too small is known at the start. The cache does not take it well
/// if there is none later.
fn reserve(directory: &Path) -> io::Result<()> {
    for file in std::fs::read_dir(directory)? {
        let file = OpenOptions::new().write(true).open(file?.path())?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BLOCK as u64) {
            // Not every file system can promise space.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn text(name: &Name) -> String {
    format!("{}\n{}", name.key, name.etag.0)
}
