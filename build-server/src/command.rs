//! Runs one command of the author's: in a process group of its own, with limits, its output as log lines.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use gitdeploy_core::{Phase, Stream};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use crate::log::{Readers, Recorder};

/// How long a command has after SIGINT, and then after SIGTERM, before SIGKILL.
const INTERRUPT_GRACE: Duration = Duration::from_secs(7);
const TERMINATE_GRACE: Duration = Duration::from_secs(3);

/// How long output is awaited that a process left behind may still hold open.
const LEFTOVER: Duration = Duration::from_secs(2);

/// What to run.
#[derive(Debug)]
pub(crate) struct Command<'a> {
    /// A line for `bash`.
    pub(crate) line: &'a str,
    pub(crate) phase: Phase,
    pub(crate) directory: &'a Path,
    pub(crate) environment: &'a [(String, OsString)],
    pub(crate) limit: Duration,
    pub(crate) silence: Duration,
}

/// Every way in which a command ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It ran longer than its limit.
    TimedOut,
    /// It wrote nothing for longer than its limit.
    Silent,
    /// The build was canceled.
    Canceled,
    /// It could not be started.
    NotStarted(std::io::Error),
}

impl Command<'_> {
    /// Runs the command to its end. Afterwards no process of its group is left.
    pub(crate) async fn run(&self, recorder: &Recorder, cancel: &CancellationToken) -> Ended {
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(error) => return Ended::NotStarted(error),
        };
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let readers = match pipes(&mut child) {
            Ok(pipes) => Readers::start(self.phase, recorder, pipes),
            Err(error) => return Ended::NotStarted(error),
        };

        let ended = tokio::select! {
            status = child.wait() => match status {
                Ok(status) => Ended::Exited(status),
                Err(error) => Ended::NotStarted(error),
            },
            () = tokio::time::sleep(self.limit) => Ended::TimedOut,
            () = readers.silent_for(self.silence) => Ended::Silent,
            () = cancel.cancelled() => Ended::Canceled,
        };
        if !matches!(ended, Ended::Exited(_)) {
            end_gently(&mut child, group).await;
        }
        signal(group, Signal::SIGKILL);
        if !readers.finish(LEFTOVER).await {
            recorder.notice("a process that the command left behind still runs; its output is not awaited");
        }
        ended
    }

    fn spawn(&self) -> std::io::Result<Child> {
        tokio::process::Command::new("bash")
            .args(["-eo", "pipefail", "-c", self.line])
            .current_dir(self.directory)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// The file that `program` names on a `PATH`, if there is one that can be run.
pub(crate) fn find_program(program: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    std::env::split_paths(path).map(|directory| directory.join(program)).find(|file| {
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

/// Where the command writes to.
fn pipes(child: &mut Child) -> std::io::Result<Vec<(Stream, OwnedFd)>> {
    let stdout = child.stdout.take().map(|pipe| Ok((Stream::Stdout, pipe.into_owned_fd()?)));
    let stderr = child.stderr.take().map(|pipe| Ok((Stream::Stderr, pipe.into_owned_fd()?)));
    stdout.into_iter().chain(stderr).collect()
}

async fn end_gently(child: &mut Child, group: Option<Pid>) {
    for (how, grace) in [(Signal::SIGINT, INTERRUPT_GRACE), (Signal::SIGTERM, TERMINATE_GRACE)] {
        signal(group, how);
        if tokio::time::timeout(grace, child.wait()).await.is_ok() {
            return;
        }
    }
    signal(group, Signal::SIGKILL);
    if let Err(error) = child.wait().await {
        tracing::warn!(%error, "a command could not be awaited");
    }
}

/// A group without processes is the good case, so failing is not worth a word.
fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        killpg(group, signal).ok();
    }
}
