//! Builders as processes of this machine, of their own or as docker's.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use gitdeploy_bus::EventBus;
use gitdeploy_core::spec::{git, variable};
use gitdeploy_core::{BuildSpec, Failure, FailureCode};
use gitdeploy_runtime::Vars;
use nix::sys::signal::Signal;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{ChildStderr, ChildStdin};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::container::{Container, OF_DOCKER, Running};
use super::stdout::publish_events;
use super::{Build, Ended, LaunchError};

/// How long the outputs of a builder that has ended are read on. Something that it started may hold them open.
const DRAIN: Duration = Duration::from_secs(2);

/// How many lines of standard error are kept.
const LAST_WORDS: usize = 20;

/// How long such a line may be, in bytes; what is longer is taken for several.
const LONGEST_WORD: u64 = 8 << 10;

/// What builders get of the service's variables by name.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// What builders get of the service's variables by how they start.
const PASSED_PREFIXES: &[&str] =
    &["AWS_", "GITDEPLOY_BUILD_", "GITDEPLOY_STORE_", "GITDEPLOY_BUS_", "GITDEPLOY_LOG_"];

/// What a project says about its build, which no variable of the service may say for all of them.
pub(crate) const OF_PROJECTS: &[&str] =
    &[variable::INSTALL, variable::COMMAND, variable::NODE, variable::OUTPUT];

/// Says that whoever reads the builder's standard output is its launcher.
const LAUNCHER: &str = "GITDEPLOY_BUILD_LAUNCHER";

/// Names, separated by commas, of variables that the operator passes on to builds.
pub(crate) const PASS: &str = "GITDEPLOY_BUILD_PASS";

#[derive(Debug, Clone)]
pub(super) struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    vars: Vars,
    container: Option<Container>,
}

impl Process {
    pub(super) fn new(program: PathBuf, arguments: Vec<String>, vars: &Vars) -> Self {
        Self { program, arguments, vars: passed(vars), container: None }
    }

    pub(super) fn container(image: String, options: Vec<String>, vars: &Vars) -> Self {
        let of_docker = vars.iter().filter(|(name, _)| name.starts_with(OF_DOCKER)).cloned();
        let vars = passed(vars).into_iter().chain(of_docker).collect();
        let container = Some(Container::new(image, options));
        Self { program: Container::program(), arguments: Vec::new(), vars, container }
    }

    pub(super) fn describe(&self) -> String {
        match &self.container {
            None => format!("processes of `{}`", self.program.display()),
            Some(container) => format!("containers of `{}`", container.image()),
        }
    }

    pub(super) fn launch(&self, spec: &BuildSpec, bus: &EventBus) -> Result<Build, LaunchError> {
        let mut vars = self.vars.clone();
        vars.extend(spec.to_vars());
        vars.push((LAUNCHER.to_owned(), "pipe".to_owned()));
        let arguments = match &self.container {
            None => self.arguments.clone(),
            Some(container) => container.arguments(spec, vars.iter().map(|(name, _)| name.as_str())),
        };
        let mut command = CommandWrap::with_new(&self.program, |command| {
            command
                .args(arguments)
                .env_clear()
                .envs(vars)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        let mut child = command
            .wrap(ProcessGroup::leader())
            .wrap(KillOnDrop)
            .spawn()
            .map_err(|error| self.cannot_start(&error))?;

        let stdin = child.stdin().take();
        let stdout = child.stdout().take().expect("it is a pipe");
        let stderr = child.stderr().take().expect("it is a pipe");
        let attempt = spec.attempt.expect("the catalog counts attempts");
        let outputs = Outputs {
            stdout: tokio::spawn(publish_events(stdout, spec.output_id(), attempt, bus.clone())),
            stderr: tokio::spawn(keep_last_words(stderr)),
        };
        let (stop, stopped) = watch::channel(None);
        let container = self.container.as_ref().map(|_| Container::running(spec, &self.vars));
        let ended = tokio::spawn(attend(child, container, stdin, outputs, stopped));
        Ok(Build { task: None, stop, ended })
    }

    fn cannot_start(&self, error: &std::io::Error) -> LaunchError {
        let cause = format!("the builder `{}` cannot be started: {error}", self.program.display());
        let fix = match &self.container {
            None => "check `GITDEPLOY_API_BUILDER`",
            Some(_) => "install docker's command line where the upload service runs",
        };
        let failure = Failure::new(FailureCode::BuilderFailed, cause).fix(fix);
        LaunchError { failure }
    }
}

struct Outputs {
    stdout: JoinHandle<()>,
    stderr: JoinHandle<VecDeque<String>>,
}

async fn attend(
    mut child: Box<dyn ChildWrapper>,
    container: Option<Running>,
    stdin: Option<ChildStdin>,
    mut outputs: Outputs,
    mut stopped: watch::Receiver<Option<Duration>>,
) -> Ended {
    let early = tokio::select! {
        status = child.wait() => Some(status),
        _ = stopped.changed() => None,
    };
    let status = if let Some(status) = early {
        status
    } else {
        // The end of its standard input and SIGTERM both tell the builder to cancel.
        drop(stdin);
        // Whoever dropped the build waits for nothing.
        let grace = stopped.borrow().unwrap_or_default();
        stop(&mut child, container, grace).await
    };
    if tokio::time::timeout(DRAIN, &mut outputs.stdout).await.is_err() {
        outputs.stdout.abort();
    }
    let last_words = match tokio::time::timeout(DRAIN, &mut outputs.stderr).await {
        Ok(Ok(mut lines)) => lines.pop_back(),
        _ => None,
    };
    outputs.stderr.abort();
    let reason = status.map_or_else(|error| error.to_string(), describe);
    Ended { last_words, ..Ended::because(reason) }
}

async fn stop(
    child: &mut Box<dyn ChildWrapper>,
    container: Option<Running>,
    grace: Duration,
) -> std::io::Result<ExitStatus> {
    if let Err(error) = child.signal(Signal::SIGTERM as i32) {
        tracing::debug!(%error, "the builder cannot be told to stop");
    }
    if let Ok(status) = tokio::time::timeout(grace, child.wait()).await {
        return status;
    }
    tracing::warn!(grace_seconds = grace.as_secs(), "the builder did not stop in time and is killed");
    if let Some(container) = container {
        container.kill().await;
    }
    child.start_kill()?;
    child.wait().await
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("signal {number} ({signal})"),
            Err(_) => format!("signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}

async fn keep_last_words(stderr: ChildStderr) -> VecDeque<String> {
    let mut reader = BufReader::new(stderr);
    let (mut line, mut last) = (Vec::new(), VecDeque::new());
    while matches!((&mut reader).take(LONGEST_WORD).read_until(b'\n', &mut line).await, Ok(1..)) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        tracing::debug!(line = text, "the builder says");
        if text.is_empty() {
            continue;
        }
        if last.len() == LAST_WORDS {
            last.pop_front();
        }
        last.push_back(text);
    }
    last
}

fn passed(vars: &Vars) -> Vars {
    let named: Vec<&str> = vars
        .iter()
        .filter(|(name, _)| name == PASS)
        .flat_map(|(_, value)| value.split(',').map(str::trim))
        .collect();
    let wanted = |name: &str| {
        (PASSED.contains(&name)
            || git::ALL.contains(&name)
            || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || named.contains(&name))
            && !OF_PROJECTS.contains(&name)
    };
    vars.iter().filter(|(name, _)| wanted(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_get_only_what_they_need() {
        let all = [
            "PATH",
            "HOME",
            "USER",
            "GITDEPLOY_API_TOKEN",
            "AWS_REGION",
            "GITDEPLOY_BUILD_SECONDS",
            "GITDEPLOY_BUILD_COMMAND",
            "GITDEPLOY_STORE_DIRECTORY",
            "NODE_EXTRA_CA_CERTS",
            "NPM_TOKEN",
            "GITHUB_TOKEN",
            "GITDEPLOY_GIT_TOKEN",
            "GITDEPLOY_GIT_KNOWN_HOSTS",
        ];
        let mut vars: Vars = all.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        vars.push((PASS.to_owned(), "NPM_TOKEN, OTHER".to_owned()));
        let names: Vec<_> = passed(&vars).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "PATH",
                "HOME",
                "AWS_REGION",
                "GITDEPLOY_BUILD_SECONDS",
                "GITDEPLOY_STORE_DIRECTORY",
                "NODE_EXTRA_CA_CERTS",
                "NPM_TOKEN",
                git::TOKEN,
                git::KNOWN_HOSTS,
                PASS
            ]
        );
    }
}
