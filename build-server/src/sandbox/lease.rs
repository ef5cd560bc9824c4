//! Users of the system that builds run as, one for each build at a time.

use std::fs::{DirBuilder, File};
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gitdeploy_core::FailureCode;
use nix::unistd::{Uid, User};

use crate::stop::{Stop, disk};

/// The one name of an account that may stand for such a user.
const ACCOUNT: &str = "build";

/// Where all builders of a machine or container look, the first that can be used.
const PLACES: &[&str] = &["/run/gitdeploy-users", "/tmp/gitdeploy-users"];

/// Where a build can write, beside its workspace.
const SHARED: &[&str] = &["/dev/shm", "/tmp", "/var/tmp"];

/// How long to wait before looking again whether a user is free.
const AGAIN: Duration = Duration::from_millis(200);

/// A user that is nobody else's until this is dropped or this process ends.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) user: Uid,
    /// Holds the lock.
    _file: File,
}

impl Lease {
    /// Takes the first of `users` that is free, within `limit`.
    pub(super) async fn take(users: &RangeInclusive<u32>, limit: Duration) -> Result<Self, Stop> {
        let place = place().map_err(disk("cannot make the directory of the users that are taken"))?;
        let taken = async {
            loop {
                if let Some(lease) = free(&place, users).map_err(disk("cannot take a user for the build"))? {
                    return Ok(lease);
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::time::timeout(limit, taken).await.unwrap_or_else(|_| {
            let (first, last) = (users.start(), users.end());
            let cause =
                format!("other builds, or accounts of this machine, have all users from {first} to {last} (`GITDEPLOY_BUILD_USERS`)");
            Err(Stop::platform(FailureCode::BuilderFailed, cause))
        })
    }
}

/// A directory that only root can enter.
fn place() -> io::Result<PathBuf> {
    let mut last = io::Error::other("there is none");
    for place in PLACES.iter().map(Path::new) {
        match DirBuilder::new().mode(0o700).create(place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => last = error,
            _ => {
                let meta = place.symlink_metadata()?;
                if meta.is_dir() && meta.uid() == 0 && meta.mode() & 0o777 == 0o700 {
                    return Ok(place.to_owned());
                }
                last = io::Error::other(format!("`{}` is not root's alone: remove it", place.display()));
            }
        }
    }
    Err(last)
}

fn free(place: &Path, users: &RangeInclusive<u32>) -> io::Result<Option<Lease>> {
    for number in users.clone() {
        let user = Uid::from_raw(number);
        if is_somebodys(user) {
            continue;
        }
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(place.join(number.to_string()))?;
        match file.try_lock() {
            Ok(()) => return Ok(Some(Lease { user, _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// All processes of the user are ended, so it must be no account of a person or a service.
fn is_somebodys(user: Uid) -> bool {
    user.is_root()
        || !matches!(User::from_uid(user), Ok(account) if account.as_ref().is_none_or(|it| it.name == ACCOUNT))
}

/// Removes what an earlier build of the same user has left where everybody may write.
pub(super) fn sweep(user: Uid) {
    for entry in SHARED.iter().flat_map(std::fs::read_dir).flatten().flatten() {
        let Ok(meta) = entry.path().symlink_metadata() else { continue };
        if meta.uid() == user.as_raw() {
            let path = entry.path();
            let removed =
                if meta.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            if let Err(error) = removed {
                tracing::warn!(%error, path = %path.display(), "what an earlier build left cannot be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_taken_once_and_given_back() {
        let place = tempfile::tempdir().unwrap();
        let users = 61_000..=61_001;
        let one = free(place.path(), &users).unwrap().unwrap();
        let two = free(place.path(), &users).unwrap().unwrap();
        assert_eq!((one.user.as_raw(), two.user.as_raw()), (61_000, 61_001));
        assert!(free(place.path(), &users).unwrap().is_none());
        drop(one);
        assert_eq!(free(place.path(), &users).unwrap().unwrap().user.as_raw(), 61_000);
    }

    #[test]
    fn accounts_are_left_alone() {
        assert!(is_somebodys(Uid::from_raw(0)));
        assert!(is_somebodys(User::from_name("daemon").unwrap().unwrap().uid));
        assert!(!is_somebodys(Uid::from_raw(61_000)));
    }
}
