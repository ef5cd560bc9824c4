//! Files that are kept in Git LFS: the repository has a pointer to each, which is replaced by the file. What
//! `.lfsconfig` says is not followed: it is the repository's, and may name any server.

mod batch;
mod pointer;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use git2::{AttrCheckFlags, AttrValue, Repository};
use gitdeploy_core::hash::Hasher;
use gitdeploy_core::size::{files as count, size};
use gitdeploy_core::{Failure, FailureCode, Phase};

use super::address::Address;
use super::checkout;
use super::problem::of_part;
use super::session::Session;
use crate::stop::{Stop, disk};
use batch::{Download, Server};

pub(super) use pointer::Pointer;

/// How many files are fetched at a time.
const AT_A_TIME: usize = 8;

/// How many files are asked for at once, as other clients do.
const BATCH: usize = 100;

/// Fetches the files that the pointers of a work tree stand for.
pub(super) fn fetch(
    session: &Session,
    address: &Address,
    repository: &Repository,
    pointers: &[Pointer],
) -> Result<(), Stop> {
    let pointers: Vec<_> = pointers.iter().filter(|pointer| is_tracked(repository, pointer)).collect();
    let (Some(first), Some(root)) = (pointers.first(), repository.workdir()) else { return Ok(()) };
    let bytes = pointers.iter().map(|pointer| pointer.bytes).sum();
    let text = format!("fetching {} of LFS, {}", count(pointers.len() as u64), size(bytes));
    session.recorder.say(Phase::Clone, text);
    let part = |pointer: &Pointer| {
        let what = format!("the file `{}`, which is kept in LFS", pointer.path().display());
        move |stop| of_part(stop, FailureCode::CloneLfs, &what)
    };
    let server = Server::of(session, address).map_err(part(first))?;
    let git = repository.path();
    for pointers in pointers.chunks(BATCH) {
        let downloads = server.ask(pointers).map_err(part(pointers[0]))?;
        in_parallel(pointers, |pointer| {
            let one = || replace(&server, downloads.of(pointer)?, pointer, root, git);
            one().map_err(part(pointer))
        })?;
    }
    checkout::refresh(repository, pointers.iter().map(|pointer| &pointer.entry))
}

/// Whether git would ask LFS for it. A text that looks like a pointer may be just that.
fn is_tracked(repository: &Repository, pointer: &Pointer) -> bool {
    // From the index, where nothing is a link.
    let filter = repository.get_attr_bytes(&pointer.path(), "filter", AttrCheckFlags::INDEX_ONLY);
    matches!(filter.map(AttrValue::always_bytes), Ok(AttrValue::Bytes(b"lfs")))
}

fn in_parallel(
    pointers: &[&Pointer],
    fetch: impl Fn(&Pointer) -> Result<(), Stop> + Sync,
) -> Result<(), Stop> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(pointer) = pointers.get(next.fetch_add(1, Ordering::Relaxed)) {
            fetch(pointer)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_A_TIME.min(pointers.len())).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|_| disk("cannot fetch from LFS")(std::io::Error::other("a thread has panicked")))?
        })
    })
}

/// Puts the file in the place of its pointer, once it is whole and the one that was meant.
fn replace(
    server: &Server<'_>,
    download: &Download,
    pointer: &Pointer,
    root: &Path,
    git: &Path,
) -> Result<(), Stop> {
    server.budget().write_bytes(pointer.bytes)?;
    let place = root.join(pointer.path());
    let beside = git.join(format!("lfs-{}", pointer.name()));
    let failed = || disk("cannot write a file of LFS");
    let permissions = fs::symlink_metadata(&place).map_err(failed())?.permissions();
    let mut file = OpenOptions::new().write(true).create_new(true).open(&beside).map_err(failed())?;
    let (mut hasher, mut received) = (Hasher::default(), 0_u64);
    server.get(download, |chunk| {
        received += chunk.len() as u64;
        if received > pointer.bytes {
            return Err(damaged(pointer));
        }
        hasher.update(chunk);
        file.write_all(chunk).map_err(failed())
    })?;
    if hasher.finish() != pointer.sha256 {
        return Err(damaged(pointer));
    }
    // Git compares a file with its pointer, and finds it changed, unless it is older than the index.
    let before = SystemTime::now().checked_sub(Duration::from_secs(2)).unwrap_or_else(SystemTime::now);
    file.set_permissions(permissions)
        .and_then(|()| file.set_modified(before))
        .and_then(|()| fs::rename(&beside, &place))
        .map_err(failed())
}

fn damaged(pointer: &Pointer) -> Stop {
    let cause = format!("what the server sends is not the file with the SHA-256 {}", pointer.sha256);
    Stop::author(Failure::new(FailureCode::CloneLfs, cause).fix("push it again with `git lfs push --all`"))
}
