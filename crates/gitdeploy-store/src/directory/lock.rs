//! The lock that makes checking and replacing an object one step, across threads and processes.

use std::fs::File;
use std::io;
use std::path::Path;

/// The file that is locked.
pub(super) const NAME: &str = ".lock";

/// Held until dropped. Each holder opens the file anew: the lock belongs to the open file, so that threads
/// of one process exclude each other as processes do.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// For whoever checks and then writes.
    pub(super) fn exclusive(root: &Path) -> io::Result<Self> {
        let file = open(root)?;
        file.lock()?;
        Ok(Self { _file: file })
    }

    /// For whoever writes without having checked.
    pub(super) fn shared(root: &Path) -> io::Result<Self> {
        let file = open(root)?;
        file.lock_shared()?;
        Ok(Self { _file: file })
    }
}

fn open(root: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(root.join(NAME))
}
