//! Builders that are told to stop by somebody who is not their author. They all say that they were canceled.

use gitdeploy_test::aws::StopCode;
use serde_json::Value;

use crate::platform::{Platform, Service, gated};

/// That readers find one end, and it names the cause.
async fn ended(service: &Service, id: &str, code: &str) -> Value {
    let log = service.log(id).await;
    let deployment = service.get(id).await;
    assert_eq!(deployment["failure"]["code"], code, "{deployment:#}");
    let cause = deployment["failure"]["cause"].as_str().unwrap();
    assert!(log.contains("before\n") && log.contains(cause) && !log.contains("canceled"), "{log}");
    deployment
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_somebody_stops_is_lost_and_not_canceled() {
    let platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, _never) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;
    platform.logs(&id, "before").await;
    let reading = platform.service.log(&id);
    let stopping = async { platform.aws.interrupt(&platform.aws.tasks()[0].arn, StopCode::UserInitiated) };
    let (log, ()) = tokio::join!(reading, stopping);
    let deployment = platform.service.in_state(&id, "lost").await;
    assert!(log.contains(deployment["failure"]["cause"].as_str().unwrap()), "{log}");
    ended(&platform.service, &id, "builder.stopped").await;
    assert_eq!(platform.aws.tasks().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_runs_too_long_is_timed_out_and_not_canceled() {
    let platform = Platform::with(&[("GITDEPLOY_ECS_TASK_SECONDS", "15")]).await;
    let gates = tempfile::tempdir().unwrap();
    let (script, _never) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;
    platform.logs(&id, "before").await;
    platform.service.in_state(&id, "timed_out").await;
    ended(&platform.service, &id, "builder.timeout").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_whose_watcher_is_gone_is_canceled_by_who_takes_it_over() {
    let mut platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, gate) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;
    platform.logs(&id, "before").await;
    let other = platform.replica().await;
    platform.service.kill().await;
    platform.service = other;
    platform.service.post(&format!("/v1/deployments/{id}/cancel")).await;
    platform.service.in_state(&id, "canceled").await;
    // The builder is gone before the deployment is: it publishes nothing any more.
    assert!(platform.aws.tasks()[0].stop_code.is_some(), "{:#?}", platform.aws.tasks());
    std::fs::write(gate, "").unwrap();
    assert_eq!(platform.visit(&id).await.0, 404);
    assert_eq!(platform.aws.tasks().len(), 1);
}
