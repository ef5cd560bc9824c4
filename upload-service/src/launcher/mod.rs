//! What starts builders, tells them to stop and says how they ended.

mod container;
mod ecs;
mod process;
mod stdout;

use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use gitdeploy_bus::EventBus;
use gitdeploy_core::{Attempt, BuildSpec, DeploymentId, Failure};
use gitdeploy_runtime::Vars;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use ecs::{Capacity, EcsConfig};
pub(crate) use process::{OF_PROJECTS, PASS};

/// How long a builder may take to end once it is told to stop.
pub const STOP_GRACE: Duration = Duration::from_secs(15);

/// Starts builders. Clones start them alike.
#[derive(Debug, Clone)]
pub struct Launcher(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Process(process::Process),
    Ecs(ecs::Ecs),
}

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Order {
    /// What to build.
    pub spec: BuildSpec,
    /// Where the builder claims what must not stand in its environment. Builders that are processes of this
    /// machine need none.
    pub ticket: Option<Ticket>,
    /// Whether it has to be on capacity that is not taken back, because an earlier attempt was.
    pub keep: bool,
    /// What the builder is called where it runs, if it was started already: then it is only watched.
    pub task: Option<String>,
}

/// What a builder claims with.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The address of the build at this service.
    pub url: String,
    /// The token of this attempt. The same attempt always has the same: a repeated launch is the same launch.
    pub token: SecretString,
}

/// Why a builder could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct LaunchError {
    /// What the author is told.
    pub failure: Failure,
}

/// A builder that runs, whoever has started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTask {
    /// Its name where it runs, such as the ARN of its task.
    pub task: String,
    /// What it builds.
    pub deployment: DeploymentId,
    /// Which start of it.
    pub attempt: Attempt,
}

/// A builder that was started. Dropping the value kills a builder that is a process of this machine, and
/// leaves alone one that is not.
#[derive(Debug)]
pub struct Build {
    /// The builder's name where it runs, such as the ARN of its task.
    task: Option<String>,
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
    /// What the launcher knows of why it ended without having said so itself.
    pub failure: Option<Failure>,
    /// Whether another attempt may help: the platform took it away.
    pub again: bool,
}

impl Launcher {
    /// Starts `program` with the leading `arguments` as a process of this machine. Of `vars` it gets only
    /// what builders need.
    pub fn process(program: impl Into<PathBuf>, arguments: Vec<String>, vars: &Vars) -> Self {
        Self(Backend::Process(process::Process::new(program.into(), arguments, vars)))
    }

    /// Starts builders as sibling containers of this machine: `docker run <options> <image>`. The builder's
    /// variables are passed by name, so no value stands on a command line.
    pub fn container(image: impl Into<String>, options: Vec<String>, vars: &Vars) -> Self {
        Self(Backend::Process(process::Process::container(image.into(), options, vars)))
    }

    /// Starts builders as tasks of Amazon ECS. `shared` says where AWS is and who we are. To be called within a
    /// runtime.
    pub fn ecs(config: EcsConfig, shared: &SdkConfig) -> Self {
        Self(Backend::Ecs(ecs::Ecs::open(config, shared)))
    }

    /// Starts a builder, or finds the one that an earlier call for the same attempt has started. Events that it
    /// writes to its standard output are published on `bus`. The future may be dropped.
    pub async fn launch(&self, order: &Order, bus: &EventBus) -> Result<Build, LaunchError> {
        match &self.0 {
            Backend::Process(process) => process.launch(&order.spec, bus),
            Backend::Ecs(ecs) => match &order.task {
                Some(task) => Ok(ecs.watch_again(task)),
                None => ecs.launch(order).await,
            },
        }
    }

    /// How builders run, as a person would say it.
    pub fn describe(&self) -> String {
        match &self.0 {
            Backend::Process(process) => process.describe(),
            Backend::Ecs(ecs) => ecs.describe(),
        }
    }

    /// Whether builders live on when this process ends, so that another can watch them.
    pub fn outlives_us(&self) -> bool {
        match &self.0 {
            Backend::Process(_) => false,
            Backend::Ecs(_) => true,
        }
    }

    /// The builders that run and would be left over if nobody watched them. A builder that ends with this
    /// process is none of them.
    pub async fn running_tasks(&self) -> Vec<RunningTask> {
        match &self.0 {
            Backend::Process(_) => Vec::new(),
            Backend::Ecs(ecs) => ecs.running_tasks().await,
        }
    }

    /// Tells a builder that [`Launcher::running_tasks`] has found to stop, and why. One that cannot be told is told
    /// by the next sweep.
    pub async fn stop_task(&self, task: &str, reason: &str) {
        match &self.0 {
            Backend::Process(_) => {}
            Backend::Ecs(ecs) => ecs.stop_task(task, reason).await,
        }
    }
}

impl Ended {
    /// That a builder has ended, and no more.
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), last_words: None, failure: None, again: false }
    }
}

impl Build {
    /// The builder's name where it runs, such as the ARN of its task.
    pub fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// Tells the builder to stop; after `grace` it is killed.
    pub fn stop(&self, grace: Duration) {
        self.stop.send_replace(Some(grace));
    }

    /// Waits until the builder has ended and its last event is on the bus. To be called until it returns,
    /// not again.
    pub async fn ended(&mut self) -> Ended {
        (&mut self.ended).await.unwrap_or_else(|error| Ended::because(format!("an internal error: {error}")))
    }
}
