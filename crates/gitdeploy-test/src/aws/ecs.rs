//! The calls of ECS.

mod describe;
mod run;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Outcome, Refusal, read};
use super::clock::Clock;
use super::cluster::Cluster;
use super::life::Order;
use super::state::Shared;
use super::task::StopCode;

#[derive(Debug, Deserialize)]
struct Stop {
    cluster: Option<String>,
    task: String,
    reason: Option<String>,
}

/// Carries a call out.
pub(super) fn call(shared: &Arc<Shared>, operation: &str, body: Value) -> Outcome {
    match operation {
        "RunTask" => run::run_task(shared, body),
        "StopTask" => stop_task(shared, read(body)?),
        "DescribeTasks" => describe::describe_tasks(shared, &read(body)?),
        "ListTasks" => describe::list_tasks(shared, &read(body)?),
        _ => {
            Err(Refusal::new("UnknownOperationException", format!("`{operation}` is not there in this ECS")))
        }
    }
}

fn stop_task(shared: &Shared, request: Stop) -> Outcome {
    in_cluster(&shared.cluster, request.cluster.as_deref())?;
    let reason = request.reason.unwrap_or_else(|| "Task stopped by user".to_owned());
    if reason.chars().count() > 1024 {
        return Err(Refusal::parameter("Reason must be at most 1024 characters long."));
    }
    let known = shared.task(&request.task).filter(|task| !task.forgotten);
    let task = known.and_then(|task| shared.stop(&task.arn, Order::Stop, StopCode::UserInitiated, &reason));
    let task = task.ok_or_else(|| Refusal::parameter("The referenced task was not found."))?;
    Ok(json!({"task": task.shown(&shared.cluster, Clock::Epoch, false)}))
}

fn in_cluster(cluster: &Cluster, name: Option<&str>) -> Outcome<()> {
    if cluster.is(name) {
        Ok(())
    } else {
        Err(Refusal::new("ClusterNotFoundException", "Cluster not found."))
    }
}
