//! What AWS and its agents write, as AWS's pages and those who met it quote it; names and addresses are made up.

use FailureCode::{LaunchCapacity, LaunchImage, LaunchSetup};

use super::*;

/// Why tasks never started, what that is, and whether another attempt may help.
const NEVER_STARTED: &[(&str, FailureCode, bool)] = &[
    // Images.
    (
        r#"CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/library/builder:1: failed to do request: Head "https://registry-1.docker.io/v2/library/builder/manifests/1": dial tcp 34.205.13.154:443: i/o timeout"#,
        LaunchImage,
        true,
    ),
    (
        r"CannotPullContainerError: API error (500): Get https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/: net/http: request canceled while waiting for connection",
        LaunchImage,
        true,
    ),
    (
        "CannotPullContainerError: inspect image has been retried 5 time(s): httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/builder/manifests/sha256:0403: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limits",
        LaunchImage,
        true,
    ),
    (
        "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/x\": dial tcp 52.217.1.2:443: i/o timeout",
        LaunchImage,
        true,
    ),
    (
        r#"CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref "111122223333.dkr.ecr.us-east-1.amazonaws.com/builder:v9": 111122223333.dkr.ecr.us-east-1.amazonaws.com/builder:v9: not found"#,
        LaunchImage,
        false,
    ),
    (
        "CannotPullContainerError: API error (404): repository 111122223333.dkr.ecr.us-east-1.amazonaws.com/builder/timeout not found",
        LaunchImage,
        false,
    ),
    (
        "CannotPullContainerError: Error response from daemon: manifest for 111122223333.dkr.ecr.us-east-1.amazonaws.com/builder:v9 not found: manifest unknown: Requested image not found",
        LaunchImage,
        false,
    ),
    (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/arm64'",
        LaunchImage,
        false,
    ),
    (
        "CannotPullContainerError: The task can't pull the image '111122223333.dkr.ecr.us-east-1.amazonaws.com/builder:v1' from Amazon Elastic Container Registry using the task execution role 'arn:aws:iam::111122223333:role/execution': AccessDeniedException: User is not authorized to perform: ecr:BatchGetImage",
        LaunchImage,
        false,
    ),
    (
        "CannotPullContainerError: Error response from daemon: Head \"https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/builder/manifests/v1\": no basic auth credentials",
        LaunchImage,
        false,
    ),
    (
        "CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob111111111: no space left on device",
        LaunchImage,
        false,
    ),
    (
        "CannotPullECRContainerError: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/ecsInstanceRole/i-01 is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
        LaunchImage,
        false,
    ),
    // What is around the container.
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:us-east-1:111122223333:secret:x from secrets manager: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/execution/x is not authorized to perform: secretsmanager:GetSecretValue",
        LaunchSetup,
        false,
    ),
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. RequestError: send request failed caused by: Post \"https://api.ecr.us-east-1.amazonaws.com/\": dial tcp 52.46.146.144:443: i/o timeout",
        LaunchSetup,
        true,
    ),
    (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
        LaunchSetup,
        false,
    ),
    ("ResourceInitializationError: failed to validate logger args: : signal: killed", LaunchSetup, true),
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed",
        LaunchSetup,
        true,
    ),
    (
        "ResourceInitializationError: failed to download env files: file download command: non empty error stream: AccessDenied: Access Denied",
        LaunchSetup,
        false,
    ),
    (
        "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
        LaunchSetup,
        false,
    ),
    (
        "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim: OCI runtime create failed: exec: \"build-server\": executable file not found in $PATH",
        LaunchSetup,
        false,
    ),
    (
        "CannotCreateContainerError: Error response from daemon: devmapper: Thin Pool has 0 free data blocks",
        LaunchSetup,
        false,
    ),
    (
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 3m0s",
        LaunchSetup,
        true,
    ),
    ("DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s", LaunchSetup, true),
    ("Timeout waiting for network interface provisioning to complete.", LaunchSetup, true),
    ("Timeout waiting for EphemeralStorage provisioning to complete.", LaunchSetup, true),
    ("Rate limit exceeded while preparing network interface to be attached to instance", LaunchSetup, true),
    (
        "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment disabled in subnet 'subnet-1': InsufficientFreeAddressesInSubnet",
        LaunchSetup,
        true,
    ),
    (
        "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': InvalidSubnetID.NotFound",
        LaunchSetup,
        false,
    ),
    (
        "ECS was unable to assume the role 'arn:aws:iam::111122223333:role/task' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.",
        LaunchSetup,
        false,
    ),
    ("something that nobody has seen before", LaunchSetup, false),
    // Capacity.
    (
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        LaunchCapacity,
        true,
    ),
    ("You've reached the limit on the number of vCPUs you can run concurrently", LaunchCapacity, true),
];

fn check(end: &TaskEnd, code: Option<FailureCode>, again: bool) {
    let ended = ending(end);
    let got = ended.failure.as_ref().map(|failure| failure.code);
    assert_eq!((got, ended.again), (code, again), "{end:?} → {ended:?}");
    assert!(!ended.reason.is_empty() && !ended.reason.ends_with('.'), "{ended:?}");
    if let Some(failure) = ended.failure {
        assert!(!failure.cause.ends_with(['.', ' ', ':']), "{failure:?}");
        assert!(failure.fix.is_some() || failure.code == FailureCode::Canceled, "{failure:?}");
    }
}

fn end(stop_code: &str, stopped_reason: &str) -> TaskEnd {
    TaskEnd {
        stop_code: stop_code.to_owned(),
        stopped_reason: stopped_reason.to_owned(),
        memory: Some("4096".to_owned()),
        ..TaskEnd::default()
    }
}

#[test]
fn a_task_that_never_started_says_why() {
    for (text, code, again) in NEVER_STARTED.iter().copied() {
        check(&end("TaskFailedToStart", text), Some(code), again);
        // On instances the reason is the container's.
        let container =
            TaskEnd { container_reason: text.to_owned(), ..end("TaskFailedToStart", "Task failed to start") };
        check(&container, Some(code), again);
    }
    let old_agent = TaskEnd {
        container_reason: "CannotPullContainerError: manifest unknown".to_owned(),
        ..end("EssentialContainerExited", "Essential container in task exited")
    };
    check(&old_agent, Some(LaunchImage), false);
}

#[test]
fn a_task_that_was_stopped_says_by_whom() {
    use FailureCode::{BuilderReclaimed, BuilderStopped, BuilderTimeout, Canceled};
    let table = [
        ("UserInitiated", "GitDeploy: the build is canceled", Canceled, false),
        ("UserInitiated", TOO_OLD, BuilderTimeout, false),
        ("UserInitiated", "Task stopped by user", BuilderStopped, false),
        ("UserInitiated", "", BuilderStopped, false),
        (
            "UserInitiated",
            "ECS is performing maintenance on the underlying infrastructure hosting the task.",
            BuilderReclaimed,
            true,
        ),
        ("UserInitiated", "Container instance deregistration forced by user.", BuilderReclaimed, true),
        ("SpotInterruption", "Your Spot Task was interrupted.", BuilderReclaimed, true),
        ("SpotInterruption", "", BuilderReclaimed, true),
        ("TerminationNotice", "Your Spot Task was interrupted.", BuilderReclaimed, true),
        ("TerminationNotice", "Host EC2 (instance i-03dba81187d65ce7e) terminated.", BuilderReclaimed, true),
        (
            "EssentialContainerExited",
            "Host EC2 (instance i-06aab15feb4568492) stopped.",
            BuilderReclaimed,
            true,
        ),
        ("InfrastructureHealth", "", BuilderReclaimed, true),
        (
            "ServiceSchedulerInitiated",
            "Scaling activity initiated by deployment ecs-svc/1",
            BuilderReclaimed,
            true,
        ),
    ];
    for (stop_code, text, code, again) in table {
        check(&end(stop_code, text), Some(code), again);
        // Spot kills with 137 what does not stop in time; that is no lack of memory.
        check(&TaskEnd { exit_code: Some(137), ..end(stop_code, text) }, Some(code), again);
    }
}

#[test]
fn a_builder_that_ended_by_itself_has_said_why_itself() {
    let exited = |exit_code, container_reason: &str| TaskEnd {
        exit_code: Some(exit_code),
        container_reason: container_reason.to_owned(),
        ..end("EssentialContainerExited", "Essential container in task exited")
    };
    for code in [0, 1, 64, 143] {
        check(&exited(code, ""), None, false);
    }
    assert_eq!(ending(&exited(1, "")).reason, "exit code 1");
    let unreached = ending(&exited(75, ""));
    assert!(unreached.again && unreached.failure.is_some(), "{unreached:?}");
    check(&exited(137, ""), Some(FailureCode::BuilderLost), false);
    let memory = exited(137, "OutOfMemoryError: Container killed due to memory usage");
    assert!(ending(&memory).failure.unwrap().cause.contains("4096 MiB"));
    check(&memory, Some(FailureCode::BuilderMemory), false);
    check(
        &end("EssentialContainerExited", "OutOfMemory: Container killed due to memory usage"),
        Some(FailureCode::BuilderMemory),
        false,
    );
}

#[test]
fn an_end_without_any_reason_is_one_too() {
    check(&TaskEnd::default(), None, false);
    check(&end("SomethingNew", ""), None, false);
}
