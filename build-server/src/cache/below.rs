//! Directories of a workspace, opened from its top without following a link.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::sandbox::Owner;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The top of a workspace, which is ours.
pub(super) fn top(workspace: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(workspace, DIRECTORY, Mode::empty())?)
}

/// A directory below, if it is there and no link leads to it.
pub(super) fn open(top: BorrowedFd<'_>, path: &str) -> io::Result<Option<OwnedFd>> {
    let mut opened = rustix::fs::openat(top, ".", DIRECTORY, Mode::empty())?;
    for name in path.split('/') {
        opened = match rustix::fs::openat(&opened, name, DIRECTORY, Mode::empty()) {
            Ok(next) => next,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
    }
    Ok(Some(opened))
}

/// Moves `staged/<path>` to `<path>` below the top. What is there already stays as it is, and so does what only a
/// link leads to: then the answer is false.
pub(super) fn place(top: BorrowedFd<'_>, staged: &Path, path: &str, owner: Owner) -> io::Result<bool> {
    let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
    let mut opened = rustix::fs::openat(top, ".", DIRECTORY, Mode::empty())?;
    for name in above.split('/') {
        match rustix::fs::mkdirat(&opened, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
                rustix::fs::chownat(&opened, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        opened = match rustix::fs::openat(&opened, name, DIRECTORY, Mode::empty()) {
            Ok(next) => next,
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
    }
    match rustix::fs::statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => {}
        Ok(_) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let staged = rustix::fs::open(staged, DIRECTORY, Mode::empty())?;
    rustix::fs::renameat(&staged, path, &opened, name)?;
    Ok(true)
}

/// Whether a link at `path` leads to something in the same directory of the workspace, by what its text says.
pub(super) fn link_stays(path: &Path, link: &Path) -> bool {
    let mut depth = path.parent().map_or(0, |parent| parent.components().count());
    for component in link.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 1 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_lead_up_but_not_out() {
        for (link, stays) in [
            ("c", true),
            ("../a/c", true),
            ("../../packages/a", true),
            ("../../../home", false),
            ("../../../source/b", false),
            ("/etc/passwd", false),
            ("../../..", false),
            ("./../c", true),
        ] {
            let path = Path::new("source/node_modules/x/link");
            assert_eq!(link_stays(path, Path::new(link)), stays, "{link}");
        }
    }
}
