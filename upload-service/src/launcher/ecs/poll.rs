//! Asking ECS about the tasks that are watched: whatever events are lost, their end is seen.

use std::sync::Arc;
use std::time::Duration;

use super::config::EcsConfig;
use super::task::TaskState;
use super::tracker::Tracker;
use crate::aws::said;

/// How many tasks ECS describes at once.
pub(super) const AT_ONCE: usize = 100;

/// How many times the interval of the poll a task has to be missing before it is gone.
const PATIENCE: u32 = 3;

/// Tasks of which nothing is known are asked about together.
const GATHER: Duration = Duration::from_millis(250);

#[derive(Debug, Clone)]
pub(super) struct Poller {
    pub(super) config: Arc<EcsConfig>,
    pub(super) client: aws_sdk_ecs::Client,
    pub(super) tracker: Arc<Tracker>,
}

impl Poller {
    pub(super) async fn run(self) {
        let every = self.every();
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = self.tracker.unknown.notified() => tokio::time::sleep(GATHER).await,
            }
            for tasks in self.tracker.open_tasks().chunks(AT_ONCE) {
                self.ask(tasks).await;
            }
        }
    }

    fn every(&self) -> Duration {
        Duration::from_secs(self.config.poll_seconds.get().into())
    }

    async fn ask(&self, tasks: &[String]) {
        let describe = self.client.describe_tasks().cluster(&self.config.cluster);
        let answer = match describe.set_tasks(Some(tasks.to_vec())).send().await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(error = said(&error), tasks = tasks.len(), "tasks cannot be asked about");
                return;
            }
        };
        for task in answer.tasks() {
            if let Some(arn) = task.task_arn() {
                self.tracker.tell(arn, TaskState::of(task, &self.config.container));
            }
        }
        for failure in answer.failures() {
            match (failure.arn(), failure.reason()) {
                (Some(arn), Some("MISSING")) => {
                    tracing::debug!(task.arn = arn, "ECS does not know a task");
                    self.tracker.missing(arn, self.every() * PATIENCE);
                }
                (arn, reason) => {
                    tracing::warn!(task.arn = arn, reason, "ECS does not describe a task");
                }
            }
        }
    }
}
