//! Settings that are wrong, and a platform that is away: one sentence and the right exit code.

use gitdeploy_test::binary::Program;

use crate::harness::{Builder, LIMIT};

async fn fails(program: Program, exit_code: i32, says: &str) {
    let mut running = program.start();
    assert_eq!(running.wait(LIMIT).await, exit_code, "{:#?}", running.stderr());
    let stderr = running.stderr();
    let last = stderr.last().unwrap();
    assert!(last.starts_with("error: ") && last.contains(says), "{stderr:#?}");
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let builder = Builder::new().await;
    let program = || Program::of_workspace("build-server");
    fails(program(), 64, "`PROJECT_ID`").await;
    fails(program().var("PROJECT_ID", "x"), 64, "`GIT_REPOSITORY_URL`").await;
    fails(builder.program("site").var("PROJECT_ID", "My_Site"), 64, "`PROJECT_ID`").await;
    fails(builder.program("site").var("GITDEPLOY_BUILD_SECONDS", "soon"), 64, "`GITDEPLOY_BUILD_SECONDS`")
        .await;
    fails(builder.program("site").var("GITDEPLOY_BUILD_LAUNCHER", "cron"), 64, "`GITDEPLOY_BUILD_LAUNCHER`")
        .await;
}

#[tokio::test]
async fn a_platform_that_is_away_is_awaited_and_named() {
    let builder = Builder::new().await;
    let away = gitdeploy_test::git::GitServer::unreachable_url();
    let port = away.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    let redis = builder
        .program("site")
        .var("GITDEPLOY_BUS_REDIS_URL", format!("redis://127.0.0.1:{port}"))
        .var("GITDEPLOY_BUILD_READY_SECONDS", "2");
    fails(redis, 75, "the bus could not be reached within 2 s").await;
    let store = Program::of_workspace("build-server")
        .var("PROJECT_ID", "site")
        .var("GIT_REPOSITORY_URL", builder.git.url("site"))
        .var("GITDEPLOY_STORE_DIRECTORY", "/proc/nowhere")
        .var("GITDEPLOY_BUILD_READY_SECONDS", "2");
    fails(store, 75, "the store could not be reached within 2 s").await;
}
