//! A process that a test started: its lines, its signals, its end.

use std::ffi::OsString;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// What is to be run. Its environment has only `PATH` and what is added here.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    command: Command,
}

/// A process with a process group of its own, which is killed as a whole when this is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    group: Pid,
    input: Option<ChildStdin>,
    output: watch::Receiver<Output>,
}

#[derive(Debug, Default)]
struct Output {
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// How many of the two have come to their end.
    ended: u8,
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

impl Program {
    /// A program at a path, or by a name on the `PATH`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let mut command = Command::new(&path);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        Self { path, command }
    }

    /// A program of this workspace, such as `build-server`.
    pub fn of_workspace(name: &str) -> Self {
        Self::new(super::path(name))
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.command.arg(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Adds variables, such as those that a server of this crate names.
    #[must_use]
    pub fn vars(mut self, vars: impl IntoIterator<Item = (String, String)>) -> Self {
        self.command.envs(vars);
        self
    }

    /// Runs it in a directory.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives it a standard input that stays open until [`Running::close_input`].
    #[must_use]
    pub fn open_input(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Gives it a text as its standard input.
    #[must_use]
    pub fn input(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().expect("there is room for a file");
        file.write_all(text.as_bytes()).expect("there is room for a text");
        file.rewind().expect("a file has a beginning");
        self.command.stdin(file);
        self
    }

    /// Starts it. Must be called within a runtime.
    pub fn start(mut self) -> Running {
        let name = self.path.display().to_string();
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("cannot start `{name}`: {error}"));
        let id = child.id().expect("it was not waited for yet");
        let group = Pid::from_raw(i32::try_from(id).expect("a process id fits"));
        let (sender, output) = watch::channel(Output::default());
        tokio::spawn(collect(Stream::Stdout, child.stdout.take().expect("it is piped"), sender.clone()));
        tokio::spawn(collect(Stream::Stderr, child.stderr.take().expect("it is piped"), sender));
        Running { name, input: child.stdin.take(), child, group, output }
    }
}

impl Running {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.group.as_raw().unsigned_abs()
    }

    /// The lines of standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.output.borrow().stdout.clone()
    }

    /// The lines of standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.output.borrow().stderr.clone()
    }

    /// The first line, of either output, that contains a text. Panics with all that the process has said if
    /// no such line comes within `limit`, or before the process closes both.
    pub async fn wait_for_line(&self, contains: &str, limit: Duration) -> String {
        let mut output = self.output.clone();
        let found = |output: &Output| {
            let mut lines = output.stdout.iter().chain(&output.stderr);
            lines.find(|line| line.contains(contains)).cloned()
        };
        let seen = output.wait_for(|output| output.ended == 2 || found(output).is_some());
        let line = match timeout(limit, seen).await {
            Ok(Ok(output)) => found(&output),
            _ => None,
        };
        line.unwrap_or_else(|| panic!("`{}` did not say `{contains}`\n{}", self.name, self.said()))
    }

    /// Writes to the standard input that was opened.
    pub async fn write(&mut self, text: &str) {
        let input = self.input.as_mut().expect("the input was opened");
        input.write_all(text.as_bytes()).await.expect("the process reads its input");
    }

    /// Closes the standard input that was opened.
    pub fn close_input(&mut self) {
        drop(self.input.take());
    }

    /// Sends a signal to the process, and not to its children.
    pub fn signal(&self, signal: Signal) {
        kill(self.group, signal).unwrap_or_else(|error| panic!("cannot signal `{}`: {error}", self.name));
    }

    /// Sends a signal to the process and its children, as a terminal does for Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        killpg(self.group, signal).unwrap_or_else(|error| panic!("cannot signal `{}`: {error}", self.name));
    }

    /// Waits until the process has ended and all it said was read. Returns its exit code; a signal that ended
    /// it counts as 128 and its number, as in a shell. Panics with what it has said if it lasts longer than `limit`.
    pub async fn wait(&mut self, limit: Duration) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        let Ok(status) = timeout(limit, self.child.wait()).await else {
            panic!("`{}` did not end\n{}", self.name, self.said());
        };
        let status = status.expect("a child can be waited for");
        // A child that was left behind may hold the outputs open; what it says is not waited for.
        timeout(limit.min(Duration::from_secs(5)), self.output.wait_for(|output| output.ended == 2))
            .await
            .ok();
        status.code().or(status.signal().map(|signal| 128 + signal)).expect("a status is a code or a signal")
    }

    fn said(&self) -> String {
        let output = self.output.borrow();
        format!(
            "standard output:\n{}\nstandard error:\n{}",
            output.stdout.join("\n"),
            output.stderr.join("\n")
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group is gone if everything in it has ended.
        killpg(self.group, Signal::SIGKILL).ok();
    }
}

async fn collect(stream: Stream, pipe: impl AsyncRead + Unpin, output: watch::Sender<Output>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while pipe.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        line.clear();
        output.send_modify(|output| match stream {
            Stream::Stdout => output.stdout.push(text),
            Stream::Stderr => output.stderr.push(text),
        });
    }
    output.send_modify(|output| output.ended += 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Program {
        Program::new("bash").args(["-c", script])
    }

    #[tokio::test]
    async fn lines_and_the_exit_code_are_seen() {
        let mut running = shell("echo one; echo two >&2; printf three; exit 7").start();
        assert_eq!(running.wait(SOON).await, 7);
        assert_eq!(running.stdout(), ["one", "three"]);
        assert_eq!(running.stderr(), ["two"]);
        assert_eq!(running.wait_for_line("tw", SOON).await, "two");
    }

    #[tokio::test]
    async fn only_the_given_variables_are_there() {
        let mut running = shell("env | cut -d= -f1 | sort").var("GIVEN", "1").start();
        running.wait(SOON).await;
        assert_eq!(running.stdout(), ["GIVEN", "PATH", "PWD", "SHLVL", "_"]);
    }

    #[tokio::test]
    async fn a_signal_reaches_the_process() {
        let mut running =
            shell("trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.01; done").start();
        running.wait_for_line("ready", SOON).await;
        running.signal(Signal::SIGTERM);
        assert_eq!(running.wait(SOON).await, 3);
        let mut running = shell("kill -TERM $$").start();
        assert_eq!(running.wait(SOON).await, 143);
    }

    #[tokio::test]
    async fn the_input_stays_open_until_it_is_closed() {
        let mut running = shell("read line; echo \"$line\"; cat; echo closed").open_input().start();
        running.write("hello\n").await;
        running.wait_for_line("hello", SOON).await;
        running.close_input();
        assert_eq!(running.wait(SOON).await, 0);
        assert_eq!(running.stdout(), ["hello", "closed"]);
    }

    #[tokio::test]
    async fn dropping_it_ends_its_children_too() {
        let running = shell("sleep 1000 & echo $!; wait").start();
        let child = running.wait_for_line("", SOON).await;
        drop(running);
        let is_there = || {
            std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        let gone = async {
            while is_there() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, gone).await.unwrap();
    }

    #[tokio::test]
    #[should_panic(expected = "did not say `more`\nstandard output:\nlast words")]
    async fn a_line_that_never_comes_shows_what_was_said() {
        shell("echo last words").start().wait_for_line("more", SOON).await;
    }
}
