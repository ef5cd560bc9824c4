//! More deployments at once than ECS launches.

use gitdeploy_test::aws::Rate;
use gitdeploy_test::git::Repository;

use crate::platform::{Platform, until};

const DEPLOYMENTS: usize = 500;
const PROJECTS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn of_500_deployments_each_is_built_once_however_ecs_throttles() {
    // moto copies its table for every transaction: with so many records it would be the slowest part by far.
    let in_a_file = [("GITDEPLOY_CATALOG_TABLE", ""), ("GITDEPLOY_CATALOG_KMS_KEY", "")];
    let settings = [("GITDEPLOY_API_BUILDS_AT_ONCE", "60"), ("GITDEPLOY_ECS_LAUNCHES_PER_SECOND", "50")];
    let platform = Platform::with(&[in_a_file, settings].concat()).await;
    platform.aws.throttle(Rate { burst: 1, per_second: 5.0 });
    let script = "mkdir dist; echo one > dist/index.html";
    platform.git.add("site", &Repository::new().file("build.sh", script).commit("Add a script"));
    let url = platform.git.url("site");
    let mut ids = Vec::new();
    for number in 0..DEPLOYMENTS {
        ids.push(platform.service.deploy(&format!("p{}", number % PROJECTS), &url).await);
    }
    for id in &ids {
        until(async || {
            let deployment = platform.service.get(id).await;
            let state = deployment["state"].as_str().unwrap();
            assert!(!["failed", "lost", "canceled", "timed_out"].contains(&state), "{deployment:#}");
            (state == "ready").then_some(())
        })
        .await;
    }
    let mut started: Vec<_> = platform.aws.tasks().into_iter().map(|task| task.started_by.unwrap()).collect();
    started.sort();
    ids.sort();
    assert_eq!(started, ids, "each was started once");
    assert!(platform.aws.requests("RunTask") > DEPLOYMENTS, "it was throttled");
    // The newest of each project is in production.
    for newest in &ids[DEPLOYMENTS - PROJECTS..] {
        assert_eq!(platform.service.get(newest).await["production"], true);
    }
}
