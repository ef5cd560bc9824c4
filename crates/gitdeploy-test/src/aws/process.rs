//! The process of a task: nothing else of this machine's environment gets into it, and nothing of it outlives
//! its end.

use std::collections::{HashMap, VecDeque};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cluster::Cluster;

/// How many lines of output are kept.
const KEPT: usize = 500;

/// Something that is no child any more may hold the output open.
const LAST_LINES: Duration = Duration::from_secs(1);

pub(super) type Lines = Arc<Mutex<VecDeque<String>>>;

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) id: u32,
    readers: JoinSet<()>,
}

impl Process {
    pub(super) fn start(
        cluster: &Cluster,
        environment: &[(String, String)],
        lines: &Lines,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(&cluster.program);
        command.args(&cluster.arguments).env_clear();
        let variables = cluster.environment.iter().chain(environment);
        command.envs(variables.map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(collect(stdout, Arc::clone(lines)));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(collect(stderr, Arc::clone(lines)));
        }
        let id = child.id().expect("it was not waited for yet");
        Ok(Self { child, id, readers })
    }

    /// The exit code as a container engine says it.
    pub(super) async fn wait(&mut self) -> i32 {
        let status = self.child.wait().await;
        // What it leaves running ends with its container.
        kill_group(self.id);
        let all = async { while self.readers.join_next().await.is_some() {} };
        if timeout(LAST_LINES, all).await.is_err() {
            tracing::debug!(process = self.id, "something holds the output of a task open");
        }
        status.map_or(255, code)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            kill_all(self.id);
        }
    }
}

/// Asks a process to end.
pub(super) fn terminate(id: u32) {
    tolerate(kill(pid(id), Signal::SIGTERM));
}

/// Ends a process with all its descendants, as the end of a container does.
pub(super) fn kill_all(id: u32) {
    let descendants = descendants(id);
    kill_group(id);
    for descendant in descendants {
        tolerate(kill(pid(descendant), Signal::SIGKILL));
    }
}

fn kill_group(id: u32) {
    tolerate(killpg(pid(id), Signal::SIGKILL));
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("a process id fits"))
}

fn tolerate(sent: nix::Result<()>) {
    if let Err(error) = sent {
        tracing::debug!(%error, "a process of a task is gone already");
    }
}

/// Also those that left the process group.
fn descendants(id: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in brackets may contain anything; the state and the parent follow it.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = children.remove(&id).unwrap_or_default();
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    found
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}

async fn collect(output: impl AsyncRead + Unpin, lines: Lines) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut lines = lines.lock().expect("no panic while locked");
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(text);
        drop(lines);
        line.clear();
    }
}
