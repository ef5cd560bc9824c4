//! How tasks end, and how they are made to.

use std::time::Duration;

use gitdeploy_core::FailureCode;
use gitdeploy_test::aws::{Cluster, Fate, Fault, Status, StopCode};
use upload_service::launcher::{EcsConfig, Ended};

use crate::support::{
    PATIENCE, STEADY, aws, cluster, config, ended, launch, launcher, number, order, running,
};

fn code(ended: &Ended) -> Option<FailureCode> {
    ended.failure.as_ref().map(|failure| failure.code)
}

#[tokio::test]
async fn a_task_that_does_not_come_to_run_says_why() {
    let aws = aws(STEADY).await;
    let launcher = launcher(&aws, config(&aws)).await;
    let fates = [
        (Fate::CannotPullImage, FailureCode::LaunchImage),
        (Fate::ResourceInitialization, FailureCode::LaunchSetup),
    ];
    for (place, (fate, expected)) in (1..).zip(fates) {
        aws.next_task(fate);
        let ended = ended(launch(&launcher, &order(place)).await.unwrap()).await;
        assert_eq!(code(&ended), Some(expected), "{ended:?}");
        assert!(ended.failure.unwrap().fix.is_some());
    }
}

#[tokio::test]
async fn a_task_that_the_platform_ends_may_be_tried_again() {
    let aws = aws(STEADY).await;
    let launcher = launcher(&aws, config(&aws)).await;
    aws.next_task(Fate::Spot { after: Duration::from_millis(100) });
    let spot = ended(launch(&launcher, &order(1)).await.unwrap()).await;
    assert_eq!((code(&spot), spot.again), (Some(FailureCode::BuilderReclaimed), true), "{spot:?}");

    let build = launch(&launcher, &order(2)).await.unwrap();
    let task = running(&aws, &build).await;
    aws.lose(&task.arn, StopCode::TerminationNotice, "Host EC2 (instance i-03dba81187d65ce7e) terminated.");
    let lost = ended(build).await;
    assert_eq!((code(&lost), lost.again), (Some(FailureCode::BuilderReclaimed), true), "{lost:?}");
}

#[tokio::test]
async fn what_ended_a_task_while_nobody_watched_is_asked_for() {
    let aws = aws(STEADY).await;
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    let task = running(&aws, &build).await;
    drop(build);
    aws.interrupt(&task.arn, StopCode::SpotInterruption);
    aws.until(PATIENCE, |tasks| tasks[0].status == Status::Stopped).await;

    let found = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    assert_eq!(found.task(), Some(&*task.arn));
    let ended = ended(found).await;
    assert_eq!((code(&ended), ended.again), (Some(FailureCode::BuilderReclaimed), true), "{ended:?}");
}

#[tokio::test]
async fn a_build_that_needs_too_much_memory_is_told_so() {
    let aws = aws(STEADY).await;
    aws.next_task(Fate::OutOfMemory { after: Duration::from_millis(100) });
    let ended = ended(launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap()).await;
    assert_eq!((code(&ended), ended.again), (Some(FailureCode::BuilderMemory), false), "{ended:?}");
}

#[tokio::test]
async fn a_task_that_somebody_else_stops_is_no_cancellation() {
    let aws = aws(STEADY).await;
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    let task = running(&aws, &build).await;
    aws.interrupt(&task.arn, StopCode::UserInitiated);
    assert_eq!(code(&ended(build).await), Some(FailureCode::BuilderStopped));
}

#[tokio::test]
async fn the_word_to_stop_is_said_until_it_is_heard() {
    let aws = aws(STEADY).await;
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    running(&aws, &build).await;
    aws.fail("StopTask", Fault::AccessDenied, 2);
    build.stop(PATIENCE);
    assert_eq!(code(&ended(build).await), Some(FailureCode::Canceled));
    assert!(aws.requests("StopTask") >= 3);
}

#[tokio::test]
async fn a_builder_that_does_not_stop_is_killed_by_ecs() {
    let stubborn = Cluster {
        stop_timeout: Duration::from_millis(200),
        ..cluster("trap '' TERM; while :; do sleep 1; done")
    };
    let aws = gitdeploy_test::aws::Aws::start(stubborn).await.unwrap();
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    let task = running(&aws, &build).await;
    build.stop(PATIENCE);
    assert_eq!(code(&ended(build).await), Some(FailureCode::Canceled));
    assert_eq!(aws.task(&task.arn).unwrap().exit_code, Some(137));
}

#[tokio::test]
async fn a_task_that_never_starts_can_be_stopped() {
    let aws = aws(STEADY).await;
    aws.next_task(Fate::NeverStarts);
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    build.stop(PATIENCE);
    assert_eq!(code(&ended(build).await), Some(FailureCode::Canceled));
}

#[tokio::test]
async fn a_task_does_not_live_for_ever() {
    let aws = aws(STEADY).await;
    let config = EcsConfig { task_seconds: number(1), ..config(&aws) };
    let ended = ended(launch(&launcher(&aws, config).await, &order(1)).await.unwrap()).await;
    assert_eq!((code(&ended), ended.again), (Some(FailureCode::BuilderTimeout), false), "{ended:?}");
    assert_eq!(aws.tasks()[0].status, Status::Stopped);
}
