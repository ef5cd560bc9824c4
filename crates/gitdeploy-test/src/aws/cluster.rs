//! The ECS cluster that there is: its name, its task definition, and what a task runs.

use std::path::PathBuf;
use std::time::Duration;

pub(super) const REGION: &str = "us-east-1";
pub(super) const ACCOUNT: &str = "123456789012";

/// A cluster with one task definition of one container, whose image is a program of this machine.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The cluster's name.
    pub name: String,
    /// The task definition: its family, or `<family>:<revision>`; without a revision it is 1.
    pub task_definition: String,
    /// The name of the container.
    pub container: String,
    /// What the container runs.
    pub program: PathBuf,
    /// The program's arguments.
    pub arguments: Vec<String>,
    /// The variables that the task definition gives the container. There are no others but those of the
    /// overrides: name `PATH` here if the program needs it.
    pub environment: Vec<(String, String)>,
    /// How long a container may take to end after SIGTERM.
    pub stop_timeout: Duration,
}

impl Cluster {
    /// A cluster `gitdeploy` with a task definition `gitdeploy-builder:1`, whose container `builder` runs a
    /// program without arguments and variables and has 110 seconds to stop.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        Self {
            name: "gitdeploy".to_owned(),
            task_definition: "gitdeploy-builder:1".to_owned(),
            container: "builder".to_owned(),
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            stop_timeout: Duration::from_secs(110),
        }
    }

    /// The cluster's ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{}", self.name)
    }

    /// The ARN of the task definition, with its revision.
    pub fn task_definition_arn(&self) -> String {
        let (family, revision) = self.revision();
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{revision}")
    }

    pub(super) fn family(&self) -> &str {
        self.revision().0
    }

    pub(super) fn task_arn(&self, id: &str) -> String {
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{}/{id}", self.name)
    }

    /// Whether a request means this cluster.
    pub(super) fn is(&self, cluster: Option<&str>) -> bool {
        let cluster = cluster.unwrap_or("default");
        cluster == self.name || cluster == self.arn()
    }

    /// Whether a request means the task definition.
    pub(super) fn defines(&self, definition: &str) -> bool {
        let (family, revision) = self.revision();
        let arn = self.task_definition_arn();
        definition == family
            || definition == format!("{family}:{revision}")
            || definition == arn
            || arn.strip_suffix(&format!(":{revision}")) == Some(definition)
    }

    fn revision(&self) -> (&str, &str) {
        self.task_definition.split_once(':').unwrap_or((&self.task_definition, "1"))
    }
}
