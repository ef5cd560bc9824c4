//! What is known of tasks, whichever way it comes.

use gitdeploy_test::aws::{Fault, Status};
use tempfile::TempDir;

use crate::support::{PATIENCE, STEADY, aws, config, ended, launch, launcher, order, running, with_events};

/// A builder that ends when the test says so: an event that comes before the launch is answered is nobody's.
struct Held(TempDir);

impl Held {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn script(&self) -> String {
        format!("until [ -e '{}/go' ]; do sleep 0.05; done; exit 3", self.0.path().display())
    }

    fn go(&self) {
        std::fs::write(self.0.path().join("go"), "").unwrap();
    }
}

#[tokio::test]
async fn events_that_come_twice_and_in_any_order_end_a_build_once() {
    let held = Held::new();
    let aws = aws(&held.script()).await;
    aws.duplicate_events(true);
    aws.shuffle_events(true);
    let launcher = launcher(&aws, with_events(&aws)).await;
    let mut builds = Vec::new();
    for number in 1..4 {
        builds.push(launch(&launcher, &order(number)).await.unwrap());
    }
    held.go();
    for build in builds {
        assert_eq!(ended(build).await.reason, "exit code 3");
    }
    assert_eq!(aws.requests("DescribeTasks"), 0, "the events have told it");
    read_to_the_end(&aws).await;
}

#[tokio::test]
async fn a_task_whose_events_are_lost_is_asked_about() {
    let held = Held::new();
    let aws = aws(&held.script()).await;
    aws.drop_events(true);
    let config =
        upload_service::launcher::EcsConfig { events_queue_url: Some(aws.queue_url()), ..config(&aws) };
    let launcher = launcher(&aws, config).await;
    aws.fail("DescribeTasks", Fault::Unavailable, 4);
    let build = launch(&launcher, &order(1)).await.unwrap();
    held.go();
    assert_eq!(ended(build).await.reason, "exit code 3");
}

#[tokio::test]
async fn what_makes_no_sense_in_the_queue_is_deleted() {
    let held = Held::new();
    let aws = aws(&held.script()).await;
    for nonsense in ["", "{", "null", r#"{"detail-type":"ECS Task State Change","detail":[]}"#] {
        aws.send(nonsense);
    }
    aws.fail("ReceiveMessage", Fault::Unavailable, 1);
    aws.fail("DeleteMessageBatch", Fault::Unavailable, 1);
    let launcher = launcher(&aws, with_events(&aws)).await;
    let build = launch(&launcher, &order(1)).await.unwrap();
    held.go();
    assert_eq!(ended(build).await.reason, "exit code 3");
}

#[tokio::test]
async fn events_of_tasks_that_others_watch_are_deleted() {
    let aws = aws("exit 0").await;
    let other = launcher(&aws, config(&aws)).await;
    for number in 1..4 {
        ended(launch(&other, &order(number)).await.unwrap()).await;
    }
    assert!(aws.messages().0 > 0);
    let reader = launcher(&aws, with_events(&aws)).await;
    read_to_the_end(&aws).await;
    drop(reader);
}

#[tokio::test]
async fn a_task_that_ecs_no_longer_knows_has_ended() {
    let aws = aws("exit 0").await;
    aws.fail("DescribeTasks", Fault::Reset, usize::MAX);
    let build = launch(&launcher(&aws, config(&aws)).await, &order(1)).await.unwrap();
    aws.until(PATIENCE, |tasks| tasks[0].status == Status::Stopped).await;
    aws.forget_stopped();
    aws.clear_faults();
    let ended = ended(build).await;
    assert_eq!(
        (&*ended.reason, &ended.failure, ended.again),
        ("its task is no longer known to ECS", &None, false)
    );
}

#[tokio::test]
async fn a_build_that_is_dropped_goes_on() {
    let aws = aws(STEADY).await;
    let launcher = launcher(&aws, config(&aws)).await;
    let build = launch(&launcher, &order(1)).await.unwrap();
    running(&aws, &build).await;
    drop((build, launcher));
    let again = self::launcher(&aws, config(&aws)).await;
    let build = launch(&again, &order(1)).await.unwrap();
    assert!(running(&aws, &build).await.stop_code.is_none());
    assert_eq!(aws.requests("StopTask"), 0);
}

async fn read_to_the_end(aws: &gitdeploy_test::aws::Aws) {
    let read = async {
        while aws.messages() != (0, 0) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
}
