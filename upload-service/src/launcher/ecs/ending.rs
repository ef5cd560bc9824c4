//! What it means for a build that ECS says its task has stopped.
//!
//! The texts are those of AWS's page "Viewing Amazon ECS stopped task errors" and of what its agents write.

use gitdeploy_core::{Failure, FailureCode};
use gitdeploy_runtime::exit;

use super::task::TaskEnd;
use crate::aws::one_line;
use crate::launcher::Ended;

/// How the reasons start that we give for stopping a task.
pub(super) const OURS: &str = "GitDeploy: ";

/// The reason that we give when a task has lived too long.
pub(super) const TOO_OLD: &str = "GitDeploy: the task has run longer than it may";

/// The container never ran, because of its image.
const IMAGE: &[&str] =
    &["CannotPullContainerError", "CannotPullECRContainerError", "CannotPullImageManifestError"];

/// The container never ran, because of what is around it.
const SETUP: &[&str] = &[
    "ResourceInitializationError",
    "CannotStartContainerError",
    "CannotCreateContainerError",
    "CannotCreateVolumeError",
    "CannotInspectContainerError",
    "ContainerRuntimeError",
    "ContainerRuntimeTimeoutError",
    "DockerTimeoutError",
    "InternalError",
    "etwork interface",
    "EphemeralStorage provisioning",
    "unable to assume the role",
];

/// There was no machine for it.
const CAPACITY: &[&str] = &[
    "Capacity is unavailable",
    "Insufficient capacity",
    "InsufficientInstanceCapacity",
    "RESOURCE:",
    "reached the limit",
    "unable to place",
    "No Container Instances",
];

/// The machine was taken away.
const RECLAIMED: &[&str] = &[
    "Spot Task was interrupted",
    "Host EC2",
    "ECS is performing maintenance",
    "task retirement",
    "underlying infrastructure",
    "Container instance deregistration",
];

/// What may be different the next time.
const PASSING: &[&str] = &[
    "timeout",
    "Timeout",
    "timed out",
    "deadline exceeded",
    "request canceled",
    "connection reset",
    "connection refused",
    "unexpected EOF",
    "toomanyrequests",
    "Too Many Requests",
    "Rate exceeded",
    "Rate limit exceeded",
    "ThrottlingException",
    "Throttling:",
    "500 Internal Server Error",
    "502 Bad Gateway",
    "503 Service Unavailable",
    "504 Gateway",
    "InsufficientFreeAddressesInSubnet",
    "signal: killed",
];

/// What will be the same the next time, whatever else the text says.
const LASTING: &[&str] = &[
    "not found",
    "NotFound",
    "manifest unknown",
    "does not exist",
    "denied",
    "Denied",
    "not authorized",
    "Unauthorized",
    "unauthorized",
    "Forbidden",
    "no basic auth credentials",
    "matching platform",
    "invalid reference",
];

/// How a build ended whose task ended like this.
pub(super) fn ending(end: &TaskEnd) -> Ended {
    let (reason, container) = (one_line(&end.stopped_reason), one_line(&end.container_reason));
    let says = |texts: &[&str]| texts.iter().any(|text| reason.contains(text) || container.contains(text));
    let told = match (&*container, &*reason) {
        ("", "") => end.stop_code.clone(),
        ("", text) | (text, "" | "Essential container in task exited" | "Task failed to start") => {
            text.to_owned()
        }
        (container, reason) => format!("{reason}: {container}"),
    };
    if says(&["OutOfMemory"]) {
        return failed(out_of_memory(end), told, false);
    }
    if reason.starts_with(TOO_OLD) {
        let cause = "the build ran longer than its task may live, and was stopped";
        let fix = "make the build faster, or give it more time with `GITDEPLOY_ECS_TASK_SECONDS`";
        return failed(Failure::new(FailureCode::BuilderTimeout, cause).fix(fix), told, false);
    }
    if reason.starts_with(OURS) {
        let cause = "the build was stopped by the upload service";
        return failed(Failure::new(FailureCode::Canceled, cause), told, false);
    }
    let reclaimed = matches!(
        &*end.stop_code,
        "SpotInterruption" | "TerminationNotice" | "InfrastructureHealth" | "ServiceSchedulerInitiated"
    );
    if reclaimed || says(RECLAIMED) {
        let cause = format!("the platform took the builder's machine away: {told}");
        return failed(Failure::new(FailureCode::BuilderReclaimed, cause).fix("deploy again"), told, true);
    }
    if end.stop_code == "UserInitiated" {
        let cause = format!("somebody stopped the builder's task: {told}");
        return failed(Failure::new(FailureCode::BuilderStopped, cause).fix("deploy again"), told, false);
    }
    if let Some(code) = end.exit_code
        && !says(IMAGE)
        && !says(SETUP)
    {
        return exited(code, &container);
    }
    let again = says(PASSING) && !says(LASTING);
    if says(IMAGE) {
        return failed(no_image(&told, again), told, again);
    }
    if says(CAPACITY) {
        let cause = format!("there was no machine for the builder: {told}");
        return failed(
            Failure::new(FailureCode::LaunchCapacity, cause).fix("deploy again later"),
            told,
            true,
        );
    }
    if says(SETUP) || end.stop_code == "TaskFailedToStart" {
        return failed(not_set_up(&told, again), told, again);
    }
    Ended::because(if told.is_empty() { "no reason that ECS tells".to_owned() } else { told })
}

fn failed(failure: Failure, reason: String, again: bool) -> Ended {
    Ended { failure: Some(failure), again, ..Ended::because(reason) }
}

/// What a builder exits with that could not reach this service, the bus or the store.
const UNAVAILABLE: i32 = exit::UNAVAILABLE as i32;

/// A builder that has run and ended by itself has said why, if it could.
fn exited(code: i32, container: &str) -> Ended {
    let reason = match container {
        "" => format!("exit code {code}"),
        text => format!("exit code {code} ({text})"),
    };
    if code == UNAVAILABLE {
        let fix = "deploy again; when it happens again, check that builders reach this service, Redis and the store";
        let failure =
            Failure::new(FailureCode::BuilderFailed, "the builder could not reach what it needs").fix(fix);
        return failed(failure, reason, true);
    }
    if code != 137 {
        return Ended::because(reason);
    }
    let failure = Failure::new(FailureCode::BuilderLost, "the builder was killed")
        .fix("deploy again; when it happens again, give the builder's task definition more memory");
    failed(failure, format!("{reason}, as of a process that is killed"), false)
}

fn out_of_memory(end: &TaskEnd) -> Failure {
    let cause = match &end.memory {
        Some(memory) => format!("the build needed more memory than the {memory} MiB that its task has"),
        None => "the build needed more memory than its task has".to_owned(),
    };
    let fix = "let the build use less memory, or give the builder's task definition more";
    Failure::new(FailureCode::BuilderMemory, cause).fix(fix)
}

fn no_image(told: &str, again: bool) -> Failure {
    let fix = if again {
        "deploy again; when it happens again, check that the builders' subnets reach the registry"
    } else {
        "check that the image of the builder's task definition exists, and that its execution role may pull it"
    };
    Failure::new(FailureCode::LaunchImage, format!("the builder's image cannot be pulled: {told}")).fix(fix)
}

fn not_set_up(told: &str, again: bool) -> Failure {
    let fix = if again {
        "deploy again; when it happens again, check the builders' subnets and their way to AWS's services"
    } else {
        "check the builder's task definition: its roles, log group, secrets and subnets"
    };
    Failure::new(FailureCode::LaunchSetup, format!("the builder's task could not be set up: {told}")).fix(fix)
}

#[cfg(test)]
mod tests;
