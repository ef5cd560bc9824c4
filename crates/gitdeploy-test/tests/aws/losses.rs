//! What AWS takes away, or does not give.

use std::time::Duration;

use gitdeploy_test::aws::{Fate, StopCode, Task};
use reqwest::Method;

use crate::platform::{Platform, gated, until};

const BUILD: &str = "mkdir dist; echo one > dist/index.html";

/// The newest task, once the log of its build says that it is in the middle of it.
async fn in_the_middle(platform: &Platform, id: &str) -> Task {
    until(async || {
        let path = format!("/v1/deployments/{id}/logs");
        let log = platform.service.request(Method::GET, &path).send().await.unwrap().text().await.unwrap();
        log.contains("before\n").then_some(())
    })
    .await;
    platform.aws.tasks().pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_whose_machine_is_taken_back_is_built_again_on_one_that_stays() {
    let platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, gate) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;
    let service = &platform.service;
    let reading = service.log(&id);
    let going = async {
        let task = in_the_middle(&platform, &id).await;
        platform.aws.interrupt(&task.arn, StopCode::SpotInterruption);
        platform.aws.until(Duration::from_mins(1), |tasks| tasks.len() == 2).await;
        std::fs::write(gate, "").unwrap();
    };
    let (log, ()) = tokio::join!(reading, going);
    service.in_state(&id, "ready").await;
    platform.shows("blog", "one").await;
    let providers: Vec<_> = platform.aws.tasks().iter().map(|task| task.capacity_provider.clone()).collect();
    assert_eq!(providers[0].as_deref(), Some("FARGATE_SPOT"));
    assert_ne!(providers[1].as_deref(), Some("FARGATE_SPOT"));
    // Whoever follows the log sees both attempts and one end.
    assert_eq!(log.matches("before\n").count(), 2, "{log}");
    assert_eq!(log.matches("--- ready").count(), 1, "{log}");
    assert!(log.contains("the build starts again") && !log.contains("canceled"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_author_reads_names_the_cause() {
    let platform = Platform::start().await;
    platform.aws.next_task(Fate::CannotPullImage);
    let id = platform.deploy("image", BUILD).await;
    let deployment = platform.service.in_state(&id, "failed").await;
    assert_eq!(deployment["failure"]["code"], "launch.image", "{deployment:#}");
    assert!(platform.service.log(&id).await.contains("image"), "{deployment:#}");

    platform.aws.next_task(Fate::ResourceInitialization);
    let id = platform.deploy("setup", BUILD).await;
    let deployment = platform.service.in_state(&id, "failed").await;
    assert_eq!(deployment["failure"]["code"], "launch.setup", "{deployment:#}");

    let gates = tempfile::tempdir().unwrap();
    let (script, _never) = gated(&gates, "memory");
    let id = platform.deploy("memory", &script).await;
    platform.aws.out_of_memory(&in_the_middle(&platform, &id).await.arn);
    let deployment = platform.service.in_state(&id, "failed").await;
    assert_eq!(deployment["failure"]["code"], "builder.memory", "{deployment:#}");
    let log = platform.service.log(&id).await;
    assert!(log.contains("before\n") && log.contains("memory"), "{log}");

    // None of them was tried again: another attempt would end alike.
    assert_eq!(platform.aws.tasks().len(), 3);
}
