//! Which builders run, whoever has started them.

use aws_sdk_ecs::operation::list_tasks::builders::ListTasksFluentBuilder;
use aws_sdk_ecs::types::{Task, TaskField};

use super::Ecs;
use super::poll::AT_ONCE;
use super::request::{Request, tag};
use crate::aws::said;
use crate::launcher::RunningTask;

impl Ecs {
    /// The builders of deployments that run or are about to. What cannot be asked about is left out: a sweep finds
    /// it the next time.
    pub(in crate::launcher) async fn running_tasks(&self) -> Vec<RunningTask> {
        let family = self.0.config.family();
        self.running(|list| list.family(family)).await
    }

    /// The task of a builder that runs or is about to, if ECS tells of it.
    pub(super) async fn running_task(&self, request: &Request<'_>) -> Option<String> {
        let tasks = self.running(|list| list.started_by(request.deployment)).await;
        tasks.into_iter().find(|task| task.attempt.to_string() == request.attempt).map(|task| task.task)
    }

    async fn running(
        &self,
        which: impl FnOnce(ListTasksFluentBuilder) -> ListTasksFluentBuilder,
    ) -> Vec<RunningTask> {
        let parts = &*self.0;
        let mut tasks = Vec::new();
        let list = which(parts.client.list_tasks().cluster(&parts.config.cluster));
        let mut pages = list.into_paginator().items().send();
        while let Some(arn) = pages.next().await {
            match arn {
                Ok(arn) => tasks.push(arn),
                Err(error) => {
                    tracing::warn!(error = said(&error), "the running tasks cannot be listed");
                    break;
                }
            }
        }
        let mut running = Vec::new();
        for tasks in tasks.chunks(AT_ONCE) {
            let describe =
                parts.client.describe_tasks().cluster(&parts.config.cluster).include(TaskField::Tags);
            match describe.set_tasks(Some(tasks.to_vec())).send().await {
                Ok(answer) => running.extend(answer.tasks().iter().filter_map(running_task)),
                Err(error) => {
                    tracing::warn!(error = said(&error), "the running tasks cannot be described");
                }
            }
        }
        running
    }
}

/// What the tags of a task say. One without them, or that is to stop already, is none of our business.
fn running_task(task: &Task) -> Option<RunningTask> {
    let get = |key: &str| task.tags().iter().find(|tag| tag.key() == Some(key))?.value();
    if task.desired_status() == Some("STOPPED") {
        return None;
    }
    Some(RunningTask {
        task: task.task_arn()?.to_owned(),
        deployment: get(tag::DEPLOYMENT)?.parse().ok()?,
        attempt: gitdeploy_core::Attempt(get(tag::ATTEMPT)?.parse().ok()?),
    })
}
