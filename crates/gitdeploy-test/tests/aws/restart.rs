//! The service dies while builds run.

use std::time::Duration;

use gitdeploy_test::aws::Fault;

use crate::platform::{Platform, gated};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_between_the_launch_and_its_note_starts_no_second_builder() {
    let mut platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, gate) = gated(&gates, "one");
    // ECS starts the task, and the service never hears of it.
    platform.aws.fail("RunTask", Fault::LostAnswer, usize::MAX);
    let id = platform.deploy("blog", &script).await;
    platform.aws.until(Duration::from_mins(1), |tasks| !tasks.is_empty()).await;
    platform.service.kill().await;
    platform.aws.clear_faults();
    platform.replace_service().await;
    platform.service.in_state(&id, "building").await;
    std::fs::write(gate, "").unwrap();
    platform.service.in_state(&id, "ready").await;
    platform.shows("blog", "one").await;
    assert_eq!(platform.aws.tasks().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_goes_on_with_the_builds_of_one_that_was_killed() {
    let mut platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, gate) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;
    platform.service.in_state(&id, "building").await;
    let other = platform.replica().await;
    platform.service.kill().await;
    std::fs::write(gate, "").unwrap();
    other.in_state(&id, "ready").await;
    platform.shows("blog", "one").await;
    let log = other.log(&id).await;
    assert!(log.contains("before\nafter\n") && log.ends_with("--- ready\n"), "{log}");
    assert_eq!(platform.aws.tasks().len(), 1);
    platform.service = other;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_told_to_stop_leaves_its_builds_to_the_next() {
    let mut platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, gate) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;
    platform.service.in_state(&id, "building").await;
    platform.service.running.signal(gitdeploy_test::binary::Signal::SIGTERM);
    assert_eq!(platform.service.running.wait(Duration::from_secs(30)).await, 0);
    assert_eq!(platform.aws.requests("StopTask"), 0);
    std::fs::write(gate, "").unwrap();
    platform.replace_service().await;
    platform.service.in_state(&id, "ready").await;
    platform.shows("blog", "one").await;
}
