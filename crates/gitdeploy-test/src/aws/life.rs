//! What happens to a task from the answer to `RunTask` until it has stopped.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::fault::Fate;
use super::process::{Lines, Process, kill_all, terminate};
use super::state::Shared;
use super::task::{Status, StopCode};

const MISSING_IMAGE: &str = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to \
     resolve ref 123456789012.dkr.ecr.us-east-1.amazonaws.com/gitdeploy-builder:latest: not found";
const NO_RESOURCES: &str = "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot \
     pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your \
     task network configuration.";
pub(super) const INTERRUPTED: &str = "Your Spot Task was interrupted.";
const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";
const EXITED: &str = "Essential container in task exited";

/// What a task is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// To end: SIGTERM, and SIGKILL when the stop timeout is over.
    Stop,
    /// It is killed with its host.
    Lose,
    /// It is killed by the kernel.
    OutOfMemory,
}

/// Leads a task to its end.
pub(super) async fn live(
    shared: Arc<Shared>,
    arn: String,
    lines: Lines,
    mut orders: UnboundedReceiver<Order>,
    fate: Option<Fate>,
) {
    let shared = shared.as_ref();
    shared.change(&arn, |task| task.status = Status::Pending);
    match fate {
        Some(Fate::CannotPullImage) => return fail(shared, &arn, MISSING_IMAGE, Some(MISSING_IMAGE)),
        Some(Fate::ResourceInitialization) => return fail(shared, &arn, NO_RESOURCES, None),
        Some(Fate::NeverStarts) => drop(orders.recv().await),
        Some(Fate::OutOfMemory { .. } | Fate::Spot { .. }) | None => {}
    }
    let Some(task) = shared.task(&arn) else { return };
    if task.stopping {
        return finish(shared, &arn, None);
    }
    let mut process = match Process::start(&shared.cluster, &task.environment, &lines) {
        Ok(process) => process,
        Err(error) => {
            let reason = format!("CannotStartContainerError: failed to create task for container: {error}");
            return fail(shared, &arn, &reason, Some(&reason));
        }
    };
    shared.change(&arn, |task| {
        task.status = Status::Running;
        task.process = Some(process.id);
        task.times.started = Some(SystemTime::now());
    });
    let code = run(shared, &arn, &mut process, &mut orders, fate).await;
    finish(shared, &arn, code);
}

/// Until the process has ended. Its exit code, unless it is lost with its host.
async fn run(
    shared: &Shared,
    arn: &str,
    process: &mut Process,
    orders: &mut UnboundedReceiver<Order>,
    fate: Option<Fate>,
) -> Option<i32> {
    let id = process.id;
    let mut exit = pin!(process.wait());
    let mut blow = pin!(blow(fate));
    let mut struck = false;
    let mut patience = pin!(sleep(Duration::MAX));
    let mut lost = false;
    loop {
        tokio::select! {
            code = &mut exit => return (!lost).then_some(code),
            // It comes back as an order.
            () = &mut blow, if !struck => {
                struck = true;
                strike(shared, arn, fate);
            }
            () = &mut patience => {
                kill_all(id);
                patience.set(sleep(Duration::MAX));
            }
            Some(order) = orders.recv() => match order {
                Order::Stop => {
                    terminate(id);
                    patience.set(sleep(shared.cluster.stop_timeout));
                }
                Order::Lose => {
                    lost = true;
                    kill_all(id);
                }
                Order::OutOfMemory => kill_all(id),
            },
        }
    }
}

/// Ends when the fate of a running task is due.
async fn blow(fate: Option<Fate>) {
    match fate {
        Some(Fate::OutOfMemory { after } | Fate::Spot { after }) => sleep(after).await,
        _ => std::future::pending().await,
    }
}

fn strike(shared: &Shared, arn: &str, fate: Option<Fate>) {
    match fate {
        Some(Fate::OutOfMemory { .. }) => out_of_memory(shared, arn),
        _ => drop(shared.stop(arn, Order::Stop, StopCode::SpotInterruption, INTERRUPTED)),
    }
}

/// Lets the kernel kill a task.
pub(super) fn out_of_memory(shared: &Shared, arn: &str) {
    shared.order(arn, Order::OutOfMemory, |task| {
        task.stop_code = Some(StopCode::EssentialContainerExited);
        task.stopped_reason = Some(EXITED.to_owned());
        task.container_reason = Some(OUT_OF_MEMORY.to_owned());
    });
}

/// Stops a task that never ran.
fn fail(shared: &Shared, arn: &str, reason: &str, of_container: Option<&str>) {
    shared.change(arn, |task| {
        task.stopping = true;
        task.status = Status::Deprovisioning;
        task.times.stopping = Some(SystemTime::now());
        task.stop_code = Some(StopCode::TaskFailedToStart);
        task.stopped_reason = Some(reason.to_owned());
        task.container_reason = of_container.map(str::to_owned);
    });
    stopped(shared, arn);
}

/// Stops a task whose process has ended, or that was told to stop before it had one.
fn finish(shared: &Shared, arn: &str, exit_code: Option<i32>) {
    shared.change(arn, |task| {
        let now = SystemTime::now();
        task.status = Status::Deprovisioning;
        task.stopping = true;
        task.exit_code = exit_code;
        task.process = None;
        task.times.stopping.get_or_insert(now);
        task.times.execution_stopped = Some(now);
        if task.stop_code.is_none() {
            task.stop_code = Some(StopCode::EssentialContainerExited);
            task.stopped_reason = Some(EXITED.to_owned());
        }
    });
    stopped(shared, arn);
}

fn stopped(shared: &Shared, arn: &str) {
    shared.change(arn, |task| {
        task.status = Status::Stopped;
        task.times.stopped = Some(SystemTime::now());
    });
}
