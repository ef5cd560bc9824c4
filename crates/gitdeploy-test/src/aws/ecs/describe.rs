//! `DescribeTasks` and `ListTasks`.

use serde::Deserialize;
use serde_json::json;

use super::in_cluster;
use crate::aws::answer::{Outcome, Refusal};
use crate::aws::clock::Clock;
use crate::aws::state::Shared;
use crate::aws::task::Task;

const MOST: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Describe {
    cluster: Option<String>,
    tasks: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    cluster: Option<String>,
    started_by: Option<String>,
    family: Option<String>,
    desired_status: Option<String>,
    launch_type: Option<String>,
    service_name: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn describe_tasks(shared: &Shared, request: &Describe) -> Outcome {
    in_cluster(&shared.cluster, request.cluster.as_deref())?;
    if request.tasks.is_empty() {
        return Err(Refusal::parameter("Tasks cannot be empty."));
    }
    if request.tasks.len() > MOST {
        return Err(Refusal::parameter("Tasks can have at most 100 items."));
    }
    let with_tags = request.include.iter().any(|field| field == "TAGS");
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in &request.tasks {
        match shared.task(name).filter(|task| !task.forgotten) {
            Some(task) => tasks.push(task.shown(&shared.cluster, Clock::Epoch, with_tags)),
            None => failures.push(json!({
                "arn": if name.starts_with("arn:") { name.clone() } else { shared.cluster.task_arn(name) },
                "reason": "MISSING",
            })),
        }
    }
    Ok(json!({"tasks": tasks, "failures": failures}))
}

pub(super) fn list_tasks(shared: &Shared, request: &List) -> Outcome {
    in_cluster(&shared.cluster, request.cluster.as_deref())?;
    let most = request.max_results.unwrap_or(MOST);
    if !(1..=MOST).contains(&most) {
        return Err(Refusal::parameter("maxResults must be between 1 and 100."));
    }
    if request.started_by.is_some() && (request.family.is_some() || request.service_name.is_some()) {
        return Err(Refusal::parameter("startedBy cannot be combined with other filters."));
    }
    let stopping = match request.desired_status.as_deref().unwrap_or("RUNNING") {
        "RUNNING" => Some(false),
        "STOPPED" => Some(true),
        // ECS never wants a task to be there.
        "PENDING" => None,
        other => return Err(Refusal::parameter(format!("`{other}` is not a desired status."))),
    };
    let wanted = |task: &Task| {
        let same = |asked: &Option<String>, is: Option<&str>| asked.is_none() || asked.as_deref() == is;
        !task.forgotten
            && Some(task.stopping) == stopping
            && same(&request.started_by, task.started_by.as_deref())
            && same(&request.family, Some(shared.cluster.family()))
            && same(&request.launch_type, Some(&task.launch_type))
            && request.service_name.is_none()
    };
    // A page begins after the task that the last one ended with.
    let tasks = shared.tasks();
    let first = match &request.next_token {
        None => 0,
        Some(token) => tasks
            .iter()
            .position(|task| task.id() == token)
            .map(|position| position + 1)
            .ok_or_else(|| Refusal::parameter("Invalid token."))?,
    };
    let mut found: Vec<&Task> = tasks[first..].iter().filter(|task| wanted(task)).take(most + 1).collect();
    let more = found.len() > most;
    found.truncate(most);
    let arns: Vec<&str> = found.iter().map(|task| task.arn.as_str()).collect();
    let mut page = json!({"taskArns": arns});
    if let Some(last) = found.last().filter(|_| more) {
        page["nextToken"] = last.id().into();
    }
    Ok(page)
}
