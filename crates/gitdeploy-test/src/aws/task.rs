//! A task: what was asked for, how far it is, and how ECS shows it.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::clock::Clock;
use super::cluster::{ACCOUNT, Cluster, REGION};

/// A task and all that is known about it.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// How far it is.
    pub status: Status,
    /// Whether it was told to stop, or stopped by itself.
    pub stopping: bool,
    /// Counts its changes, from 1.
    pub version: u64,
    /// The `startedBy` of the request.
    pub started_by: Option<String>,
    /// The `clientToken` of the request.
    pub client_token: Option<String>,
    /// The launch type, asked for or following from the capacity provider.
    pub launch_type: String,
    /// The capacity provider that was chosen, if the request had a strategy.
    pub capacity_provider: Option<String>,
    /// Its tags, with those that ECS adds when `enableECSManagedTags` is set.
    pub tags: Vec<(String, String)>,
    /// The variables of the overrides.
    pub environment: Vec<(String, String)>,
    /// The whole request.
    pub request: Value,
    /// The exit code of its container: 128 and the signal's number after a signal, absent if it never ran.
    pub exit_code: Option<i32>,
    /// What is said about the container's end.
    pub container_reason: Option<String>,
    /// Why it stopped.
    pub stop_code: Option<StopCode>,
    /// Why it stopped, in words.
    pub stopped_reason: Option<String>,
    /// The process that it runs as, while it does.
    pub process: Option<u32>,
    /// The last lines that the program wrote to its two outputs.
    pub output: Vec<String>,
    pub(super) times: Times,
    /// Whether ECS has forgotten it.
    pub(super) forgotten: bool,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are named as ECS names them")]
pub enum Status {
    Provisioning,
    Pending,
    Running,
    Deprovisioning,
    Stopped,
}

/// Why a task stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named as ECS names them")]
pub enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    UserInitiated,
    ServiceSchedulerInitiated,
    SpotInterruption,
    TerminationNotice,
}

#[derive(Debug, Clone)]
pub(super) struct Times {
    pub(super) created: SystemTime,
    pub(super) started: Option<SystemTime>,
    pub(super) stopping: Option<SystemTime>,
    pub(super) execution_stopped: Option<SystemTime>,
    pub(super) stopped: Option<SystemTime>,
}

impl Task {
    /// The last part of the ARN.
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// As `DescribeTasks` and events show it.
    pub(super) fn shown(&self, cluster: &Cluster, clock: Clock, with_tags: bool) -> Value {
        let mut shown = json!({
            "attachments": [self.interface()],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "arm64"}],
            "availabilityZone": format!("{REGION}a"),
            "clusterArn": cluster.arn(),
            "connectivity": "CONNECTED",
            "containers": [self.container(cluster)],
            "cpu": "1024",
            "createdAt": clock.write(self.times.created),
            "desiredStatus": if self.stopping { "STOPPED" } else { "RUNNING" },
            "enableExecuteCommand": false,
            "group": format!("family:{}", cluster.family()),
            "lastStatus": self.status.name(),
            "launchType": self.launch_type,
            "memory": "2048",
            "overrides": self.request.get("overrides").cloned().unwrap_or_else(|| json!({})),
            "taskArn": self.arn,
            "taskDefinitionArn": cluster.task_definition_arn(),
            "version": self.version,
        });
        let shown = shown.as_object_mut().expect("it is one");
        let mut add =
            |name: &str, value: Option<Value>| value.map(|value| shown.insert(name.to_owned(), value));
        add("capacityProviderName", self.capacity_provider.as_deref().map(Into::into));
        add("startedBy", self.started_by.as_deref().map(Into::into));
        add("startedAt", self.times.started.map(|time| clock.write(time)));
        add("stoppingAt", self.times.stopping.map(|time| clock.write(time)));
        add("executionStoppedAt", self.times.execution_stopped.map(|time| clock.write(time)));
        add("stoppedAt", self.times.stopped.map(|time| clock.write(time)));
        add("stopCode", self.stop_code.map(|code| format!("{code:?}").into()));
        add("stoppedReason", self.stopped_reason.as_deref().map(Into::into));
        add("platformVersion", (self.launch_type == "FARGATE").then(|| "1.4.0".into()));
        add("updatedAt", matches!(clock, Clock::Text).then(|| clock.write(self.times.last())));
        add(
            "tags",
            with_tags
                .then(|| self.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()),
        );
        Value::Object(std::mem::take(shown))
    }

    /// As the answer to a repeated `RunTask` shows it when it has stopped.
    pub(super) fn in_short(&self) -> Value {
        json!({"taskArn": self.arn, "lastStatus": self.status.name(), "desiredStatus": "STOPPED"})
    }

    fn container(&self, cluster: &Cluster) -> Value {
        let mut container = Map::new();
        let mut add = |name: &str, value: Value| container.insert(name.to_owned(), value);
        let status = match self.status {
            Status::Provisioning | Status::Pending => "PENDING",
            Status::Running => "RUNNING",
            Status::Deprovisioning | Status::Stopped => "STOPPED",
        };
        let id = self.id();
        add(
            "containerArn",
            format!("arn:aws:ecs:{REGION}:{ACCOUNT}:container/{}/{id}/{id}", cluster.name).into(),
        );
        add("taskArn", self.arn.as_str().into());
        add("name", cluster.container.as_str().into());
        add("lastStatus", status.into());
        add("networkInterfaces", json!([]));
        add("healthStatus", "UNKNOWN".into());
        if let Some(code) = self.exit_code {
            add("exitCode", code.into());
        }
        if let Some(reason) = &self.container_reason {
            add("reason", reason.as_str().into());
        }
        container.into()
    }

    fn interface(&self) -> Value {
        let subnet = self.request.pointer("/networkConfiguration/awsvpcConfiguration/subnets/0");
        let status = match self.status {
            Status::Provisioning => "PRECREATED",
            Status::Pending | Status::Running => "ATTACHED",
            Status::Deprovisioning => "DETACHING",
            Status::Stopped => "DELETED",
        };
        json!({
            "id": self.id(),
            "type": "ElasticNetworkInterface",
            "status": status,
            "details": [{"name": "subnetId", "value": subnet}],
        })
    }
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

impl Times {
    pub(super) fn begin() -> Self {
        Self {
            created: SystemTime::now(),
            started: None,
            stopping: None,
            execution_stopped: None,
            stopped: None,
        }
    }

    fn last(&self) -> SystemTime {
        let times = [self.started, self.stopping, self.execution_stopped, self.stopped];
        times.into_iter().flatten().max().unwrap_or(self.created)
    }
}
