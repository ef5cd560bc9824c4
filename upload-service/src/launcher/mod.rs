//! What starts builders, tells them to stop and says how they ended.

mod process;
mod stdout;

use std::path::PathBuf;
use std::time::Duration;

use gitdeploy_bus::EventBus;
use gitdeploy_core::BuildSpec;
use gitdeploy_runtime::Vars;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a builder may take to end once it is told to stop.
pub const STOP_GRACE: Duration = Duration::from_secs(15);

/// Starts builders. Clones start them alike.
#[derive(Debug, Clone)]
pub struct Launcher(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Process(process::Process),
}

/// Why a builder could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the builder `{}` cannot be started: {source}", .program.display())]
pub struct LaunchError {
    /// The program.
    pub program: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

/// A builder that was started. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Build {
    stop: watch::Sender<Option<Duration>>,
    ended: JoinHandle<Ended>,
}

/// How a builder ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The reason, as the end of a sentence such as "the builder ended with …".
    pub reason: String,
    /// The last thing it said on standard error.
    pub last_words: Option<String>,
}

impl Launcher {
    /// Starts `program` with the leading `arguments` as a process of this machine. Of `vars` it gets only
    /// what builders need.
    pub fn process(program: impl Into<PathBuf>, arguments: Vec<String>, vars: &Vars) -> Self {
        Self(Backend::Process(process::Process::new(program.into(), arguments, vars)))
    }

    /// Starts a builder. Events that it writes to its standard output are published on `bus`.
    pub fn launch(&self, spec: &BuildSpec, bus: &EventBus) -> Result<Build, LaunchError> {
        match &self.0 {
            Backend::Process(process) => process.launch(spec, bus),
        }
    }
}

impl Build {
    /// Tells the builder to stop; after `grace` it is killed.
    pub fn stop(&self, grace: Duration) {
        self.stop.send_replace(Some(grace));
    }

    /// Waits until the builder has ended and its last event is on the bus. To be called until it returns,
    /// not again.
    pub async fn ended(&mut self) -> Ended {
        (&mut self.ended)
            .await
            .unwrap_or_else(|error| Ended { reason: format!("an internal error: {error}"), last_words: None })
    }
}
