//! Reads what a command writes: one thread for each of its pipes, so that it never waits for the log.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gitdeploy_core::{Phase, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::fcntl_setpipe_size;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Recorder;
use super::journal::{Journal, Now};
use super::lines::Lines;
use super::versions::Versions;

/// How much a pipe holds: the most that Linux gives to whoever is not root.
const PIPE: usize = 1 << 20;

/// How much is read at once.
const READ: usize = 256 * 1024;

/// How long a reader lets a pipe fill that had little: a command that writes line by line would pay for a wake-up
/// of the reader with each of them.
const NAP: Duration = Duration::from_millis(4);

/// How much is not little.
const MUCH: usize = READ / 2;

/// How often a reader looks up while nothing comes.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The readers of one command.
#[derive(Debug)]
pub(crate) struct Readers {
    threads: JoinSet<()>,
    activity: Arc<Activity>,
    /// Whether what is still to come is not read any more.
    given_up: Arc<AtomicBool>,
}

impl Readers {
    /// Reads the pipes into the log.
    pub(crate) fn start(
        phase: Phase,
        recorder: &Recorder,
        pipes: impl IntoIterator<Item = (Stream, OwnedFd)>,
    ) -> Self {
        let (activity, given_up) = (Arc::new(Activity::default()), Arc::new(AtomicBool::new(false)));
        let mut threads = JoinSet::new();
        for (stream, pipe) in pipes {
            // One that stays as small as it was is only slower.
            fcntl_setpipe_size(&pipe, PIPE).ok();
            let reader = Reader {
                pipe: pipe.into(),
                output: Output::new(phase, stream, recorder),
                recorder: recorder.clone(),
                activity: activity.clone(),
                given_up: given_up.clone(),
            };
            threads.spawn_blocking(move || reader.run());
        }
        Self { threads, activity, given_up }
    }

    /// Completes when nothing was written for as long as `limit`.
    pub(crate) async fn silent_for(&self, limit: Duration) {
        self.activity.silent_for(limit).await;
    }

    /// Waits until all is read, at most as long as `bound`. False: a process that the command left behind still
    /// holds a pipe; what it writes from now on is not read.
    pub(crate) async fn finish(mut self, bound: Duration) -> bool {
        let all = async { while self.threads.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(bound, all).await.is_ok();
        self.given_up.store(true, Ordering::Relaxed);
        while self.threads.join_next().await.is_some() {}
        in_time
    }
}

struct Reader {
    pipe: std::fs::File,
    output: Output,
    recorder: Recorder,
    activity: Arc<Activity>,
    given_up: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self) {
        let mut buffer = vec![0; READ];
        while !self.given_up.load(Ordering::Relaxed) {
            if !self.is_readable() {
                self.recorder.write(|journal| self.output.look(journal));
                continue;
            }
            let bytes = match self.pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(bytes) => bytes,
                Err(error) if matches!(error.kind(), RETRY | INTERRUPTED) => continue,
                Err(error) => {
                    tracing::warn!(%error, "what a command writes cannot be read");
                    break;
                }
            };
            self.activity.mark();
            self.recorder.write(|journal| self.output.push(&buffer[..bytes], journal));
            if bytes < MUCH {
                std::thread::sleep(NAP);
            }
        }
        self.recorder.write(|journal| self.output.finish(journal));
    }

    /// Waits a while for something to read, or for the end of the pipe.
    fn is_readable(&self) -> bool {
        let mut pipes = [PollFd::new(&self.pipe, PollFlags::IN)];
        poll(&mut pipes, Some(&IDLE)).is_ok_and(|ready| ready > 0)
    }
}

const RETRY: std::io::ErrorKind = std::io::ErrorKind::WouldBlock;
const INTERRUPTED: std::io::ErrorKind = std::io::ErrorKind::Interrupted;

/// What one pipe brings, on its way into the log.
struct Output {
    from: (Phase, Stream),
    lines: Lines,
    versions: Versions,
}

impl Output {
    fn new(phase: Phase, stream: Stream, recorder: &Recorder) -> Self {
        let lines = Lines::new(recorder.secrets().clone());
        Self { from: (phase, stream), lines, versions: Versions::default() }
    }

    fn push(&mut self, bytes: &[u8], journal: &mut Journal) {
        let (from, now) = (self.from, Now::read());
        self.lines.push(bytes, |text, ending| {
            self.versions
                .take(text, ending, now.instant, |number, text| journal.line(from, number, text, now));
        });
    }

    /// Records what waits for something to follow.
    fn look(&mut self, journal: &mut Journal) {
        let (from, now) = (self.from, Now::read());
        self.lines.rest(|text, ending| {
            self.versions
                .take(text, ending, now.instant, |number, text| journal.line(from, number, text, now));
        });
        self.versions.look(now.instant, |number, text| journal.line(from, number, text, now));
    }

    fn finish(&mut self, journal: &mut Journal) {
        let (from, now) = (self.from, Now::read());
        self.lines.finish(|text, ending| {
            self.versions
                .take(text, ending, now.instant, |number, text| journal.line(from, number, text, now));
        });
        self.versions.finish(|number, text| journal.line(from, number, text, now));
    }
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
