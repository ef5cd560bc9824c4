//! What is known of a task, from ECS's answers and from its events.

use aws_sdk_ecs::types::Task;
use jiff::Timestamp;
use serde::Deserialize;

/// The last status of a task that has ended for good.
const STOPPED: &str = "STOPPED";

/// A task as it was at one version. A higher version is later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskState {
    pub(super) version: i64,
    /// Whether it has ended for good, not only will.
    pub(super) stopped: bool,
    pub(super) created: Option<Timestamp>,
    pub(super) end: TaskEnd,
}

/// How a task ended, as ECS says it. While it runs most of it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TaskEnd {
    pub(super) stop_code: String,
    pub(super) stopped_reason: String,
    /// The exit code of the builder's container, if it has run.
    pub(super) exit_code: Option<i32>,
    /// What ECS says of the builder's container.
    pub(super) container_reason: String,
    /// The memory of the task in MiB.
    pub(super) memory: Option<String>,
}

/// A message from `EventBridge`.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(rename = "detail-type")]
    kind: String,
    detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    task_arn: String,
    version: i64,
    last_status: String,
    created_at: Option<String>,
    #[serde(default)]
    stop_code: Option<String>,
    #[serde(default)]
    stopped_reason: Option<String>,
    #[serde(default)]
    memory: Option<String>,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    exit_code: Option<i32>,
    #[serde(default)]
    reason: Option<String>,
}

/// Why a message is none of a task.
#[derive(Debug, thiserror::Error)]
pub(super) enum MessageError {
    #[error("it is no message of a task: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is a message of the kind `{0}`")]
    Kind(String),
}

impl TaskState {
    /// What ECS answers. Of its containers only the one of this name counts.
    pub(super) fn of(task: &Task, container: &str) -> Self {
        let container = task.containers().iter().find(|other| other.name() == Some(container));
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Self {
            version: task.version(),
            stopped: task.last_status() == Some(STOPPED),
            created: task.created_at().and_then(|at| Timestamp::from_second(at.secs()).ok()),
            end: TaskEnd {
                stop_code: text(task.stop_code().map(aws_sdk_ecs::types::TaskStopCode::as_str)),
                stopped_reason: text(task.stopped_reason()),
                exit_code: container.and_then(aws_sdk_ecs::types::Container::exit_code),
                container_reason: text(container.and_then(aws_sdk_ecs::types::Container::reason)),
                memory: task.memory().map(ToOwned::to_owned),
            },
        }
    }

    /// The task and its state in a message from `EventBridge`.
    pub(super) fn from_message(text: &str, container: &str) -> Result<(String, Self), MessageError> {
        let Message { kind, detail } = serde_json::from_str(text)?;
        if kind != "ECS Task State Change" {
            return Err(MessageError::Kind(kind.chars().take(100).collect()));
        }
        let container = detail.containers.into_iter().find(|other| other.name.as_deref() == Some(container));
        let (exit_code, container_reason) =
            container.map_or((None, None), |container| (container.exit_code, container.reason));
        let state = Self {
            version: detail.version,
            stopped: detail.last_status == STOPPED,
            created: detail.created_at.and_then(|at| at.parse().ok()),
            end: TaskEnd {
                stop_code: detail.stop_code.unwrap_or_default(),
                stopped_reason: detail.stopped_reason.unwrap_or_default(),
                exit_code,
                container_reason: container_reason.unwrap_or_default(),
                memory: detail.memory,
            },
        };
        Ok((detail.task_arn, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in AWS's documentation, shortened.
    const MESSAGE: &str = r#"{
        "version": "0", "id": "105f6bb1-4da6-c630-4965-35383018cba4",
        "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "111122223333",
        "time": "2026-11-06T11:11:37Z", "region": "eu-central-1",
        "resources": ["arn:aws:ecs:eu-central-1:111122223333:task/builds/a1"],
        "detail": {
            "clusterArn": "arn:aws:ecs:eu-central-1:111122223333:cluster/builds",
            "containers": [
                { "name": "sidecar", "lastStatus": "STOPPED", "exitCode": 0 },
                { "name": "builder", "lastStatus": "STOPPED", "exitCode": 137,
                  "reason": "OutOfMemoryError: Container killed due to memory usage" }
            ],
            "createdAt": "2026-11-06T11:10:52.907Z", "desiredStatus": "STOPPED", "lastStatus": "STOPPED",
            "memory": "4096", "startedBy": "06gzr1vtp7njn36zcgxy", "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "taskArn": "arn:aws:ecs:eu-central-1:111122223333:task/builds/a1", "version": 6
        }
    }"#;

    #[test]
    fn a_message_and_an_answer_say_the_same() {
        let (arn, state) = TaskState::from_message(MESSAGE, "builder").unwrap();
        assert_eq!(arn, "arn:aws:ecs:eu-central-1:111122223333:task/builds/a1");
        assert!(state.stopped);
        assert_eq!((state.version, state.end.exit_code), (6, Some(137)));
        let container = |name: &str| aws_sdk_ecs::types::Container::builder().name(name);
        let task = Task::builder()
            .version(6)
            .last_status("STOPPED")
            .created_at(aws_sdk_ecs::primitives::DateTime::from_millis(
                state.created.unwrap().as_millisecond(),
            ))
            .stop_code("EssentialContainerExited".into())
            .stopped_reason("Essential container in task exited")
            .memory("4096")
            .containers(container("sidecar").exit_code(0).build())
            .containers(
                container("builder")
                    .exit_code(137)
                    .reason("OutOfMemoryError: Container killed due to memory usage")
                    .build(),
            );
        let answered = TaskState::of(&task.build(), "builder");
        assert_eq!(answered.end, state.end);
        assert_eq!(answered.created.unwrap().as_second(), state.created.unwrap().as_second());
    }

    #[test]
    fn a_task_that_will_stop_has_not_stopped() {
        let stopping = MESSAGE.replace(r#""lastStatus": "STOPPED","#, r#""lastStatus": "STOPPING","#);
        assert!(!TaskState::from_message(&stopping, "builder").unwrap().1.stopped);
    }

    #[test]
    fn other_messages_are_refused() {
        for bad in ["", "{}", "[1]", r#"{"detail-type":"ECS Task State Change","detail":{}}"#] {
            assert!(matches!(TaskState::from_message(bad, "builder"), Err(MessageError::Json(_))), "{bad}");
        }
        let other = MESSAGE.replace("ECS Task State Change", "ECS Deployment State Change");
        assert!(matches!(TaskState::from_message(&other, "builder"), Err(MessageError::Kind(_))));
    }
}
