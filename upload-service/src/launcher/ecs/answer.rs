//! What ECS answers to a launch, sorted by what can be done about it.

use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use aws_sdk_ecs::types::Task;
use gitdeploy_core::{Failure, FailureCode};

use super::config::EcsConfig;
use crate::aws::{one_line, said};
use crate::launcher::LaunchError;

/// What became of a launch.
#[derive(Debug)]
pub(super) enum Answer {
    /// The task was started, now or by an earlier request that was the same.
    Started(Box<Task>),
    /// The task was started by an earlier request that was not quite the same.
    Existing(String),
    /// Nothing is started with this client token, now or later: ECS keeps to its answer. And why.
    NoRoom(String),
    /// A request that was not quite the same had this client token and has started nothing, or not yet.
    Taken,
    /// Nothing is said about this client token but: not now, and why.
    Later(Wait, String),
    /// Not like this, and why.
    Never(LaunchError),
}

/// What a launch has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Launches are asked for faster than ECS allows.
    Pace,
    /// There is no machine.
    Capacity,
    /// ECS cannot be reached, or fails.
    Service,
}

/// Codes of errors that ask for a slower pace.
const THROTTLED: &[&str] = &[
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
];

/// Codes of errors that pass, besides those with a status of 500 and more. Credentials that have just ended are
/// renewed.
const PASSING: &[&str] = &[
    "ServerException",
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ExpiredToken",
    "ExpiredTokenException",
];

/// What texts say that speak of capacity, whatever the code of their error is.
const CAPACITY: &[&str] = &[
    "reached the limit",
    "Capacity is unavailable",
    "No Container Instances were found",
    "capacity provider",
];

/// Reasons of failures that no waiting mends.
const LASTING: &[&str] = &["ATTRIBUTE", "MISSING", "INACTIVE", "LOCATION"];

pub(super) fn sort(
    answer: Result<RunTaskOutput, SdkError<RunTaskError, HttpResponse>>,
    config: &EcsConfig,
) -> Answer {
    match answer {
        Ok(output) => started(output),
        Err(error) => failed(&error, config),
    }
}

fn started(output: RunTaskOutput) -> Answer {
    if let Some(task) = output.tasks.unwrap_or_default().into_iter().find(|task| task.task_arn().is_some()) {
        return Answer::Started(Box::new(task));
    }
    let failures = output.failures.unwrap_or_default();
    // Of a failure that is older than an hour ECS does not remember the reason.
    let Some((failure, why)) = failures.first().and_then(|failure| Some((failure, failure.reason()?))) else {
        return Answer::NoRoom("ECS has started nothing and does not say why".to_owned());
    };
    let text = match failure.detail() {
        Some(detail) => one_line(&format!("{why}: {detail}")),
        None => one_line(why),
    };
    if LASTING.iter().any(|start| why.starts_with(start)) {
        let fix = "check that the builder's task definition fits the machines of `GITDEPLOY_ECS_CLUSTER`";
        return Answer::Never(refused(&text, fix));
    }
    // Reasons are texts, and new ones come. Waiting costs little.
    Answer::NoRoom(text)
}

fn failed(error: &SdkError<RunTaskError, HttpResponse>, config: &EcsConfig) -> Answer {
    let text = said(error);
    if let Some(RunTaskError::ConflictException(conflict)) = error.as_service_error() {
        return match conflict.resource_ids() {
            [task, ..] => Answer::Existing(task.clone()),
            [] => Answer::Taken,
        };
    }
    let status = error.raw_response().map(|response| response.status().as_u16());
    let (Some(code), Some(status)) = (error.code(), status) else {
        return Answer::Later(Wait::Service, text);
    };
    if THROTTLED.contains(&code) || status == 429 {
        return Answer::Later(Wait::Pace, text);
    }
    if PASSING.contains(&code) || status >= 500 {
        return Answer::Later(Wait::Service, text);
    }
    if CAPACITY.iter().any(|known| text.contains(known)) && code != "AccessDeniedException" {
        return Answer::Later(Wait::Capacity, text);
    }
    Answer::Never(refused(&text, &fix(code, config)))
}

/// What to do about an error that stays.
fn fix(code: &str, config: &EcsConfig) -> String {
    match code {
        "AccessDeniedException" => format!(
            "allow the upload service `ecs:RunTask` on the task definition `{}` in the cluster `{}`, \
             `ecs:TagResource`, and `iam:PassRole` for the roles of the task definition",
            config.task_definition, config.cluster
        ),
        "ClusterNotFoundException" => {
            format!("check `GITDEPLOY_ECS_CLUSTER`, which is `{}`, and the region", config.cluster)
        }
        "BlockedException" => "ask AWS's support why the account is blocked".to_owned(),
        "UnrecognizedClientException" | "InvalidSignatureException" | "MissingAuthenticationToken" => {
            "check the AWS credentials of the upload service, and its clock".to_owned()
        }
        _ => "check `GITDEPLOY_ECS_TASK_DEFINITION`, `GITDEPLOY_ECS_CONTAINER`, `GITDEPLOY_ECS_SUBNETS`, \
              `GITDEPLOY_ECS_SECURITY_GROUPS` and `GITDEPLOY_ECS_CAPACITY`"
            .to_owned(),
    }
}

fn refused(text: &str, fix: &str) -> LaunchError {
    let cause = format!("ECS refuses to start builders: {text}");
    LaunchError { failure: Failure::new(FailureCode::LaunchRefused, cause).fix(fix) }
}

/// Why a launch was given up that had to wait too long. It was tried again and again already.
pub(super) fn waited_out(wait: Wait, text: &str, config: &EcsConfig) -> LaunchError {
    let minutes = config.launch_seconds.div_ceil(60);
    let (cause, fix) = match wait {
        Wait::Pace => (
            format!("ECS has throttled the launch for {minutes} minutes: {text}"),
            "deploy again later; when it happens often, lower `GITDEPLOY_ECS_LAUNCHES_PER_SECOND`",
        ),
        Wait::Capacity => (
            format!("there was no machine for the builder for {minutes} minutes: {text}"),
            "deploy again later; when it happens often, give the builders subnets in more availability zones or raise \
             the quotas of the account",
        ),
        Wait::Service => (
            format!("ECS has not started the builder for {minutes} minutes: {text}"),
            "check that the upload service reaches ECS and has credentials, then deploy again",
        ),
    };
    LaunchError { failure: Failure::new(FailureCode::LaunchCapacity, cause).fix(fix) }
}

#[cfg(test)]
mod tests {
    use super::*;

    use aws_sdk_ecs::types as ecs;

    fn config() -> EcsConfig {
        EcsConfig {
            cluster: "builds".to_owned(),
            task_definition: "gitdeploy-builder".to_owned(),
            ..EcsConfig::default()
        }
    }

    fn failure(reason: &str) -> RunTaskOutput {
        RunTaskOutput::builder().failures(ecs::Failure::builder().reason(reason).build()).build()
    }

    #[test]
    fn failures_pass_or_stay() {
        for passing in [
            "RESOURCE:MEMORY",
            "RESOURCE:ENI",
            "RESOURCE:FARGATE",
            "AGENT",
            "NO ACTIVE INSTANCES",
            "EMPTY CAPACITY PROVIDER",
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
            "You've reached the limit on the number of tasks you can run concurrently",
            "something new",
        ] {
            let answer = sort(Ok(failure(passing)), &config());
            assert!(matches!(answer, Answer::NoRoom(_)), "{passing}: {answer:?}");
        }
        for staying in ["ATTRIBUTE", "MISSING", "INACTIVE"] {
            let Answer::Never(error) = sort(Ok(failure(staying)), &config()) else { panic!("{staying}") };
            assert_eq!(error.failure.code, FailureCode::LaunchRefused);
            assert!(error.failure.fix.is_some());
        }
        let old = RunTaskOutput::builder().failures(ecs::Failure::builder().build()).build();
        for nothing in [old, RunTaskOutput::builder().build()] {
            assert!(matches!(sort(Ok(nothing), &config()), Answer::NoRoom(_)));
        }
    }

    fn error(status: u16, code: &str, message: &str) -> Answer {
        let meta = aws_sdk_ecs::error::ErrorMetadata::builder().code(code).message(message).build();
        let response = HttpResponse::new(status.try_into().unwrap(), "".into());
        sort(Err(SdkError::service_error(RunTaskError::generic(meta), response)), &config())
    }

    #[test]
    fn errors_pass_or_stay() {
        for (status, code, wait) in [
            (400, "ThrottlingException", Wait::Pace),
            (429, "Whatever", Wait::Pace),
            (500, "ServerException", Wait::Service),
            (503, "ServiceUnavailable", Wait::Service),
            (400, "ExpiredTokenException", Wait::Service),
        ] {
            let answer = error(status, code, "Rate exceeded");
            assert!(matches!(&answer, Answer::Later(got, _) if *got == wait), "{code}: {answer:?}");
        }
        for (code, message) in [
            ("ClientException", "You've reached the limit on the number of tasks you can run concurrently"),
            ("InvalidParameterException", "No Container Instances were found in your cluster."),
        ] {
            let answer = error(400, code, message);
            assert!(matches!(answer, Answer::Later(Wait::Capacity, _)), "{code}: {answer:?}");
        }
        for (code, message, fix) in [
            ("AccessDeniedException", "User: x is not authorized to perform: ecs:RunTask", "`ecs:RunTask`"),
            ("ClusterNotFoundException", "Cluster not found.", "`GITDEPLOY_ECS_CLUSTER`, which is `builds`"),
            ("InvalidParameterException", "No subnets.", "`GITDEPLOY_ECS_SUBNETS`"),
            ("ClientException", "TaskDefinition not found.", "`GITDEPLOY_ECS_TASK_DEFINITION`"),
            ("UnrecognizedClientException", "The security token is invalid.", "credentials"),
        ] {
            let Answer::Never(error) = error(400, code, message) else { panic!("{code}") };
            assert_eq!(error.failure.code, FailureCode::LaunchRefused);
            assert!(error.failure.fix.as_deref().unwrap().contains(fix), "{error:?}");
            assert!(error.failure.cause.contains(message.trim_end_matches('.')), "{error:?}");
        }
    }

    #[test]
    fn a_conflict_names_the_task_that_there_is() {
        let conflict = |tasks: &[&str]| {
            let tasks = tasks.iter().map(|task| (*task).to_owned()).collect();
            let conflict = ecs::error::ConflictException::builder().set_resource_ids(Some(tasks)).build();
            let response = HttpResponse::new(400.try_into().unwrap(), "".into());
            sort(Err(SdkError::service_error(RunTaskError::ConflictException(conflict), response)), &config())
        };
        assert!(matches!(conflict(&["arn:task"]), Answer::Existing(task) if task == "arn:task"));
        assert!(matches!(conflict(&[]), Answer::Taken));
    }
}
