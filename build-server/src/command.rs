//! Runs one command of the author's: in the sandbox, with limits, its output as log lines.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use gitdeploy_core::{Phase, Stream};
use gitdeploy_runtime::exit;
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::log::{Readers, Recorder};
use crate::memory;
use crate::sandbox::{Processes, Sandbox};
use crate::stop::{Stop, disk};

/// How long a command has after SIGINT, and then after SIGTERM, before SIGKILL.
const INTERRUPT_GRACE: Duration = Duration::from_secs(7);
const TERMINATE_GRACE: Duration = Duration::from_secs(3);

/// How long output is awaited that somebody may still hold open.
const LEFTOVER: Duration = Duration::from_secs(2);

/// How often the memory of a command is looked at.
const LOOK: Duration = Duration::from_millis(250);

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
    /// How much memory its processes may hold together, in bytes.
    pub(crate) memory: Option<u64>,
}

/// How a command ended, and what it took.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    /// The most memory that its processes were seen to hold together, in bytes.
    pub(crate) peak: u64,
    /// Whether the kernel killed one of our processes meanwhile because memory ran out.
    pub(crate) oom_killed: bool,
}

/// Every way in which a command ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself, or by a signal that we did not send.
    Exited(ExitStatus),
    /// It ran longer than its limit.
    TimedOut,
    /// It wrote nothing for longer than its limit.
    Silent,
    /// Its processes held more memory than they may.
    TooMuchMemory,
    /// The build was canceled.
    Canceled,
}

impl Command<'_> {
    /// Runs the command to its end. Afterwards no process of it is left.
    pub(crate) async fn run(
        &self,
        sandbox: &Sandbox,
        recorder: &Recorder,
        cancel: &CancellationToken,
    ) -> Result<Ran, Stop> {
        let kills = memory::oom_kills();
        let mut child = self.spawn(sandbox).map_err(disk("cannot start a command"))?;
        let pid = child.id();
        let pipes = pipes(&mut child).map_err(disk("cannot read what a command writes"))?;
        let readers = Readers::start(self.phase, recorder, pipes);

        let mut peak = 0;
        let ended = tokio::select! {
            status = child.wait() => Ended::Exited(status.map_err(disk("cannot wait for a command"))?),
            () = tokio::time::sleep(self.limit) => Ended::TimedOut,
            () = readers.silent_for(self.silence) => Ended::Silent,
            () = self.outgrow(pid, &mut peak) => Ended::TooMuchMemory,
            () = cancel.cancelled() => Ended::Canceled,
        };
        match ended {
            Ended::Exited(_) => {}
            // It has nothing to say any more that would be worth its memory.
            Ended::TooMuchMemory => end(&mut child).await,
            _ => end_gently(&mut child, pid).await,
        }
        sandbox.quiesce().await?;
        if !readers.finish(LEFTOVER).await {
            recorder.notice("something else holds the output of the command open; it is not awaited");
        }
        if matches!(ended, Ended::Exited(status) if status.code() == Some(exit::UNAVAILABLE.into()))
            && let Some(defect) = sandbox.defect().await
        {
            return Err(defect);
        }
        // What cancels the build may have met the command as well, and before us.
        let ended = match ended {
            Ended::Exited(status) if !status.success() && cancel.is_cancelled() => Ended::Canceled,
            ended => ended,
        };
        let oom_killed = memory::oom_kills() > kills;
        Ok(Ran { ended, peak: peak.max(largest_process()), oom_killed })
    }

    fn spawn(&self, sandbox: &Sandbox) -> std::io::Result<Child> {
        sandbox
            .command(self.line, self.directory, self.environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// Completes when the processes of the build hold more memory than they may. Meanwhile it notes the most that
    /// they hold in `peak`, and lets those go that have ended and belong to nobody.
    async fn outgrow(&self, pid: Option<u32>, peak: &mut u64) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let processes = Processes::ours();
            processes.reap(pid);
            *peak = processes.bytes().max(*peak);
            if self.memory.is_some_and(|limit| *peak > limit) {
                return;
            }
        }
    }
}

/// The most that a single process of all commands so far had, in bytes: of one that was too quick to be looked at.
fn largest_process() -> u64 {
    let kib = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    u64::try_from(kib).unwrap_or(0).saturating_mul(1024)
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

async fn end_gently(child: &mut Child, pid: Option<u32>) {
    for (how, grace) in [(Signal::SIGINT, INTERRUPT_GRACE), (Signal::SIGTERM, TERMINATE_GRACE)] {
        signal(pid, how);
        if tokio::time::timeout(grace, child.wait()).await.is_ok() {
            return;
        }
    }
    end(child).await;
}

async fn end(child: &mut Child) {
    if let Err(error) = child.kill().await {
        tracing::warn!(%error, "a command could not be ended");
    }
}

/// Sends a signal to the group of a command. A group without processes is the good case, so failing is not worth a
/// word.
fn signal(pid: Option<u32>, signal: Signal) {
    let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw) else { return };
    // At its very beginning it is still in our group.
    if killpg(pid, signal) == Err(Errno::ESRCH) {
        kill(pid, signal).ok();
    }
}
