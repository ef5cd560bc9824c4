//! What it takes until a builder has started.

use std::collections::BTreeSet;

use gitdeploy_core::FailureCode;
use gitdeploy_test::aws::{Aws, Fault, Rate};
use tokio::task::JoinSet;
use upload_service::launcher::{Capacity, EcsConfig, Order, Ticket};

use crate::support::{PATIENCE, STEADY, aws, config, deployment, ended, launch, launcher, order, running};

#[tokio::test]
async fn a_builder_is_started_with_what_it_needs_and_seen_to_end() {
    let aws = aws("exit 3").await;
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    let arn = build.task().unwrap().to_owned();
    let ended = ended(build).await;
    assert_eq!((&*ended.reason, &ended.failure, ended.again), ("exit code 3", &None, false));

    let task = aws.task(&arn).unwrap();
    let id = deployment(1);
    assert_eq!(task.started_by.as_deref(), Some(id.as_str()));
    assert_eq!(task.client_token, Some(format!("{id}.1.0")));
    assert_eq!(task.launch_type, "FARGATE");
    let mut environment = task.environment;
    environment.sort();
    let url = format!("https://api.example.org/internal/v1/builds/{id}");
    let expected = [
        ("DEPLOYMENT_ID", id.as_str()),
        ("GITDEPLOY_ATTEMPT", "1"),
        ("GITDEPLOY_CLAIM_TOKEN", "one-use"),
        ("GITDEPLOY_CLAIM_URL", &url),
        ("GIT_REPOSITORY_URL", "https://git.example.org/a/blog"),
        ("PROJECT_ID", "blog"),
    ];
    assert_eq!(environment, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let body = &aws.bodies("RunTask")[0];
    let network = &body["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(network["subnets"][0], "subnet-1");
    assert_eq!(network["securityGroups"][0], "sg-1");
    assert_eq!(network["assignPublicIp"], "DISABLED");
}

#[tokio::test]
async fn a_launch_whose_answer_is_lost_starts_one_task() {
    let aws = aws(STEADY).await;
    aws.lose_answers(2);
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    assert_eq!(aws.requests("RunTask"), 3);
    let tasks = aws.tasks();
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!(build.task(), Some(&*tasks[0].arn));
}

#[tokio::test]
async fn a_service_that_is_started_again_finds_its_builder() {
    let aws = aws(STEADY).await;
    let first = launcher(&aws, config(&aws)).await;
    let build = launch(&first, &order(1)).await.unwrap();
    let task = running(&aws, &build).await;
    drop((build, first));

    let second = launcher(&aws, config(&aws)).await;
    let build = launch(&second, &order(1)).await.unwrap();
    assert_eq!(build.task(), Some(&*task.arn));
    assert_eq!(aws.tasks().len(), 1);
    assert!(!aws.tasks()[0].stopping, "nobody has stopped it in between");
    build.stop(PATIENCE);
    assert_eq!(ended(build).await.failure.unwrap().code, FailureCode::Canceled);
}

#[tokio::test]
async fn a_launch_with_other_settings_finds_the_same_builder() {
    let aws = aws(STEADY).await;
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    let other = Order {
        ticket: Some(Ticket { url: "https://elsewhere.example.org/1".to_owned(), token: "one-use".into() }),
        ..order(1)
    };
    let found = launch(&launcher(&aws, config(&aws)).await, &other).await.unwrap();
    assert_eq!(found.task(), build.task());
    found.stop(PATIENCE);
    let (one, two) = tokio::join!(ended(found), ended(build));
    assert_eq!(one, two);
    assert_eq!(aws.tasks().len(), 1);
}

#[tokio::test]
async fn another_attempt_is_another_task() {
    let aws = aws("exit 0").await;
    let launcher = launcher(&aws, config(&aws)).await;
    let first = launch(&launcher, &order(1)).await.unwrap();
    let mut again = order(1);
    again.spec.attempt = Some(gitdeploy_core::Attempt(2));
    let second = launch(&launcher, &again).await.unwrap();
    assert_ne!(first.task(), second.task());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_throttled_launches_start_a_hundred_tasks() {
    let aws = aws("exit 0").await;
    aws.throttle(Rate { burst: 10, per_second: 100.0 });
    aws.fail("RunTask", Fault::Throttled, 40);
    let launcher = launcher(&aws, config(&aws)).await;
    let mut all = JoinSet::new();
    for number in 0..100 {
        let launcher = launcher.clone();
        all.spawn(async move {
            let build = launch(&launcher, &order(number)).await.unwrap();
            assert_eq!(ended(build).await.reason, "exit code 0");
        });
    }
    while let Some(launched) = all.join_next().await {
        launched.unwrap();
    }
    let tasks = aws.tasks();
    let started: BTreeSet<_> = tasks.iter().filter_map(|task| task.started_by.clone()).collect();
    assert_eq!((tasks.len(), started.len()), (100, 100));
    assert!(aws.requests("RunTask") >= 140);
}

#[tokio::test]
async fn what_passes_is_waited_out() {
    let aws = aws("exit 0").await;
    let launcher = launcher(&aws, config(&aws)).await;
    for (number, fault) in (1..).zip([Fault::Throttled, Fault::Unavailable, Fault::Reset]) {
        aws.fail("RunTask", fault, 2);
        launch(&launcher, &order(number)).await.unwrap();
    }
    aws.fail_launches("RESOURCE:MEMORY", 1);
    aws.fail_launches("Capacity is unavailable at this time. Please try again later.", 1);
    launch(&launcher, &order(9)).await.unwrap();
    assert_eq!((aws.tasks().len(), aws.requests("RunTask")), (4, 12));
}

#[tokio::test]
async fn missing_capacity_is_not_waited_for_for_ever() {
    let aws = aws("exit 0").await;
    aws.fail_launches("Capacity is unavailable at this time.", usize::MAX);
    let config = EcsConfig { launch_seconds: 1, ..config(&aws) };
    let error = launch(&launcher(&aws, config).await, &order(1)).await.unwrap_err();
    assert_eq!(error.failure.code, FailureCode::LaunchCapacity);
    assert!(error.failure.cause.contains("Capacity is unavailable"), "{error:?}");
    assert!(error.failure.fix.is_some());
}

#[tokio::test]
async fn a_refusal_is_told_at_once_with_what_to_do() {
    let aws = aws("exit 0").await;
    let refused = async |config| {
        let error = launch(&launcher(&aws, config).await, &order(1)).await.unwrap_err();
        assert_eq!(error.failure.code, FailureCode::LaunchRefused, "{error:?}");
        error.failure.fix.unwrap()
    };
    aws.refuse(1);
    assert!(refused(config(&aws)).await.contains("`ecs:RunTask`"));
    let elsewhere = EcsConfig { cluster: "elsewhere".to_owned(), ..config(&aws) };
    assert!(refused(elsewhere).await.contains("`GITDEPLOY_ECS_CLUSTER`, which is `elsewhere`"));
    let unknown = EcsConfig { task_definition: "unknown".to_owned(), ..config(&aws) };
    assert!(refused(unknown).await.contains("`GITDEPLOY_ECS_TASK_DEFINITION`"));
    assert_eq!(aws.requests("RunTask"), 3);
    assert!(aws.tasks().is_empty());
}

#[tokio::test]
async fn spot_is_left_where_a_machine_is_to_stay_or_none_is_free() {
    let aws = aws("exit 0").await;
    let config = EcsConfig { capacity: Capacity::FargateSpot, ..config(&aws) };
    let launcher = launcher(&aws, config).await;
    launch(&launcher, &order(1)).await.unwrap();
    launch(&launcher, &Order { keep: true, ..order(2) }).await.unwrap();
    aws.fail_launches("Capacity is unavailable at this time.", 3);
    launch(&launcher, &order(3)).await.unwrap();
    let spot = aws
        .tasks()
        .iter()
        .map(|task| task.capacity_provider.as_deref() == Some("FARGATE_SPOT"))
        .collect::<Vec<_>>();
    assert_eq!(spot, [true, false, false]);
}

/// The client tokens of all launches, without the deployment and the attempt.
fn tokens(aws: &Aws) -> Vec<String> {
    let token = |body: serde_json::Value| body["clientToken"].as_str().unwrap().to_owned();
    let start = format!("{}.1.", deployment(1));
    aws.bodies("RunTask")
        .into_iter()
        .map(|body| token(body).strip_prefix(&start).unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_token_is_left_only_when_ecs_has_answered_that_it_starts_nothing() {
    let aws = aws("exit 0").await;
    let launcher = launcher(&aws, config(&aws)).await;
    aws.fail_launches("RESOURCE:MEMORY", 2);
    aws.lose_answers(1);
    aws.fail("RunTask", Fault::Throttled, 1);
    launch(&launcher, &order(1)).await.unwrap();
    assert_eq!(tokens(&aws), ["0", "0", "0", "1", "2"]);
    assert_eq!(aws.tasks().len(), 1);
}

#[tokio::test]
async fn a_builder_that_had_to_wait_for_its_machine_is_found_at_once() {
    let aws = aws(STEADY).await;
    let config = || EcsConfig { capacity: Capacity::FargateSpot, ..config(&aws) };
    aws.fail_launches("Capacity is unavailable at this time.", 4);
    let build = launch(&launcher(&aws, config()).await, &order(1)).await.unwrap();
    let task = running(&aws, &build).await;
    assert_eq!(tokens(&aws), ["0", "1", "2", "3", "4"]);
    drop(build);

    let found = launch(&launcher(&aws, config()).await, &order(1)).await.unwrap();
    assert_eq!((found.task(), aws.tasks().len()), (Some(&*task.arn), 1));
    assert_eq!(aws.requests("RunTask"), 6, "whoever hears no looks for the task");
}

#[tokio::test]
async fn a_builder_that_ecs_does_not_list_is_found_by_the_same_requests() {
    let aws = aws("exit 3").await;
    let config = || EcsConfig { capacity: Capacity::FargateSpot, ..config(&aws) };
    aws.fail_launches("Capacity is unavailable at this time.", 4);
    let build = launch(&launcher(&aws, config()).await, &order(1)).await.unwrap();
    let task = build.task().unwrap().to_owned();
    assert_eq!(ended(build).await.reason, "exit code 3");

    let found = launch(&launcher(&aws, config()).await, &order(1)).await.unwrap();
    assert_eq!((found.task(), aws.tasks().len()), (Some(&*task), 1));
    assert_eq!(ended(found).await.reason, "exit code 3", "the repeated answer does not tell it");
    let bodies = aws.bodies("RunTask");
    assert_eq!(bodies[..5], bodies[5..]);
}

#[tokio::test]
async fn a_token_of_a_request_with_other_settings_is_left_when_nothing_came_of_it() {
    let aws = aws("exit 0").await;
    aws.fail_launches("RESOURCE:MEMORY", 1);
    let impatient = EcsConfig { launch_seconds: 0, ..config(&aws) };
    launch(&launcher(&aws, impatient).await, &order(1)).await.unwrap_err();
    let other = EcsConfig { subnets: vec!["subnet-2".to_owned()], ..config(&aws) };
    launch(&launcher(&aws, other).await, &order(1)).await.unwrap();
    assert_eq!(tokens(&aws).last().unwrap(), "1");
    assert_eq!(aws.tasks().len(), 1);
}

#[tokio::test]
async fn what_was_started_without_an_answer_is_not_given_up() {
    let aws = aws(STEADY).await;
    aws.fail("RunTask", Fault::LostAnswer, usize::MAX);
    let config = EcsConfig { launch_seconds: 0, ..config(&aws) };
    let build = launch(&launcher(&aws, config).await, &order(1)).await.unwrap();
    assert_eq!(build.task(), Some(&*aws.tasks()[0].arn));
}
