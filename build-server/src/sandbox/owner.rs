//! Who owns the files of a build.

use std::io;
use std::os::unix::fs::lchown;
use std::path::Path;

use nix::unistd::{Gid, Uid};

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Owner {
    /// This process.
    pub(crate) fn ours() -> Self {
        Self { user: Uid::effective().as_raw(), group: Gid::effective().as_raw() }
    }

    /// A user of builds, with the group of the same number.
    pub(super) fn of_user(user: Uid) -> Self {
        Self { user: user.as_raw(), group: user.as_raw() }
    }

    /// Gives what is at `path`, and all below it, to this owner. No link is followed.
    pub(crate) fn give(self, path: &Path) -> io::Result<()> {
        if self == Self::ours() {
            return Ok(());
        }
        lchown(path, Some(self.user), Some(self.group))?;
        if path.symlink_metadata()?.is_dir() {
            for entry in path.read_dir()? {
                self.give(&entry?.path())?;
            }
        }
        Ok(())
    }
}
