//! Which builders run, whoever has started them.

use gitdeploy_core::Attempt;
use gitdeploy_test::aws::Status;
use upload_service::launcher::RunningTask;

use crate::support::{PATIENCE, STEADY, aws, config, deployment, launch, launcher, order};

#[tokio::test]
async fn builders_that_run_are_found_and_can_be_stopped() {
    let aws = aws(STEADY).await;
    let launcher = launcher(&aws, config(&aws)).await;
    let mut builds = Vec::new();
    for number in 1..4 {
        builds.push(launch(&launcher, &order(number)).await.unwrap());
    }
    let arns: Vec<_> = builds.iter().map(|build| build.task().unwrap().to_owned()).collect();
    drop(builds);

    let mut found = launcher.running_tasks().await;
    found.sort_by(|a, b| a.deployment.cmp(&b.deployment));
    let expected: Vec<_> = (1..4)
        .zip(&arns)
        .map(|(number, arn)| RunningTask {
            task: arn.clone(),
            deployment: deployment(number),
            attempt: Attempt::FIRST,
        })
        .collect();
    assert_eq!(found, expected);

    launcher.stop_task(&arns[1], "its deployment has ended").await;
    let stopped = |arn: &String| {
        let arn = arn.clone();
        move |tasks: &[gitdeploy_test::aws::Task]| {
            tasks.iter().any(|task| task.arn == arn && task.status == Status::Stopped)
        }
    };
    let tasks = aws.until(PATIENCE, stopped(&arns[1])).await;
    assert_eq!(tasks[1].stopped_reason.as_deref(), Some("GitDeploy: its deployment has ended"));
    let found = launcher.running_tasks().await;
    assert_eq!(found.iter().map(|task| &task.task).collect::<Vec<_>>().len(), 2, "{found:?}");
    assert!(found.iter().all(|task| task.task != arns[1]));
}
