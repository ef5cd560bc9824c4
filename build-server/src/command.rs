//! Runs one command of the author's: in a process group of its own, with limits, its output as log lines.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gitdeploy_core::{Phase, Stream};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::log::{LineSplitter, Recorder};

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
        let activity = Arc::new(Activity::default());
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(read(stdout, Stream::Stdout, self.phase, recorder.clone(), activity.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read(stderr, Stream::Stderr, self.phase, recorder.clone(), activity.clone()));
        }

        let ended = tokio::select! {
            status = child.wait() => match status {
                Ok(status) => Ended::Exited(status),
                Err(error) => Ended::NotStarted(error),
            },
            () = tokio::time::sleep(self.limit) => Ended::TimedOut,
            () = activity.silent_for(self.silence) => Ended::Silent,
            () = cancel.cancelled() => Ended::Canceled,
        };
        if !matches!(ended, Ended::Exited(_)) {
            end_gently(&mut child, group).await;
        }
        signal(group, Signal::SIGKILL);
        if tokio::time::timeout(LEFTOVER, async { while readers.join_next().await.is_some() {} })
            .await
            .is_err()
        {
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

async fn read(
    mut pipe: impl AsyncRead + Unpin,
    stream: Stream,
    phase: Phase,
    recorder: Recorder,
    activity: Arc<Activity>,
) {
    let mut splitter = LineSplitter::default();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(bytes @ 1..) = pipe.read(&mut buffer).await {
        activity.mark();
        recorder.lines(phase, stream, splitter.push(&buffer[..bytes]));
    }
    recorder.lines(phase, stream, splitter.finish());
}

/// When something was last written.
#[derive(Debug)]
struct Activity {
    start: Instant,
    /// Milliseconds after `start`.
    last: AtomicU64,
}

impl Default for Activity {
    fn default() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Activity {
    fn mark(&self) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    async fn silent_for(&self, limit: Duration) {
        loop {
            let until = self.start + Duration::from_millis(self.last.load(Ordering::Relaxed)) + limit;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}
