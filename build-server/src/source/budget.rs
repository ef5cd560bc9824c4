//! What a clone may take: bytes over the network, time, and room on the disk, with its submodules.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gitdeploy_core::{Failure, FailureCode};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::stop::Stop;

#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    received: AtomicU64,
    files: u64,
    written_files: AtomicU64,
    disk: u64,
    written: AtomicU64,
    deadline: Instant,
    cancel: CancellationToken,
}

impl Budget {
    pub(super) fn new(config: &Config, cancel: &CancellationToken) -> Self {
        Self {
            bytes: config.clone_bytes,
            received: AtomicU64::new(0),
            files: config.checkout_files,
            written_files: AtomicU64::new(0),
            disk: config.checkout_bytes,
            written: AtomicU64::new(0),
            deadline: Instant::now() + config.clone_limit(),
            cancel: cancel.clone(),
        }
    }

    /// Counts bytes that came over the network.
    pub(super) fn receive(&self, bytes: u64) -> Result<(), Stop> {
        let received = self.received.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if received > self.bytes {
            let cause = format!("the repository is larger than {} MiB", self.bytes >> 20);
            return Err(too_large(&cause, "GITDEPLOY_BUILD_CLONE_BYTES"));
        }
        self.go_on()
    }

    /// Counts a file, a folder or a link of the work tree, before it is written.
    pub(super) fn write(&self) -> Result<(), Stop> {
        if self.written_files.fetch_add(1, Ordering::Relaxed) >= self.files {
            let cause = format!("the repository has more than {} files and folders", self.files);
            return Err(too_large(&cause, "GITDEPLOY_BUILD_CHECKOUT_FILES"));
        }
        Ok(())
    }

    /// Counts the bytes of a file, before they are written.
    pub(super) fn write_bytes(&self, bytes: u64) -> Result<(), Stop> {
        let written = self.written.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if written > self.disk {
            let cause = format!("the files of the repository are larger than {} MiB", self.disk >> 20);
            return Err(too_large(&cause, "GITDEPLOY_BUILD_CHECKOUT_BYTES"));
        }
        Ok(())
    }

    /// Whether there is time left and nobody has canceled.
    pub(super) fn go_on(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::canceled());
        }
        if Instant::now() >= self.deadline {
            return Err(too_slow());
        }
        Ok(())
    }

    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(super) fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }
}

pub(super) fn too_slow() -> Stop {
    let failure = Failure::new(FailureCode::CloneTimeout, "the clone took longer than its limit");
    Stop::timed_out(failure.fix("try again, or have the operator raise `GITDEPLOY_BUILD_CLONE_SECONDS`"))
}

fn too_large(cause: &str, variable: &str) -> Stop {
    let fix = format!("remove what the site does not need, or have the operator raise `{variable}`");
    Stop::author(Failure::new(FailureCode::CloneTooLarge, cause).fix(fix))
}

/// A file that is larger than any may be.
pub(super) fn too_large_file(path: &str, limit: u64) -> Stop {
    let cause = format!("the file `{path}` is larger than {} MiB", limit >> 20);
    Stop::author(
        Failure::new(FailureCode::CloneTooLarge, cause)
            .fix("remove it from the repository, or keep it in LFS"),
    )
}
