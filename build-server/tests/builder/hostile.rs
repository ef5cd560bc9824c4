//! Repositories that try to get at what is not theirs, or at everybody's time.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;

use crate::harness::{Builder, Built};

#[tokio::test]
async fn a_build_sees_nothing_of_the_builders_environment() {
    let builder = Builder::new().await;
    let script =
        "env; echo above; cat /proc/$PPID/environ | tr '\\0' '\\n'; mkdir dist; echo hi > dist/index.html";
    let vars = [("AWS_SECRET_ACCESS_KEY", "hidden-aws"), ("GITDEPLOY_API_TOKEN", "hidden-token")];
    let built = builder.build_script(script, &vars).await;
    let lines = built.lines().join("\n");
    let (own, of_the_builder) = lines.split_once("above").unwrap();
    assert!(own.contains("GITDEPLOY_PROJECT_ID=site") && own.contains("CI=1"), "{lines}");
    assert!(!own.contains("hidden-") && !own.contains("GITDEPLOY_STORE_DIRECTORY"), "{lines}");
    // From a build of the same user the builder hides, but nobody hides from root.
    if !nix::unistd::Uid::effective().is_root() {
        assert!(!of_the_builder.contains("hidden-"), "{lines}");
    }
}

#[tokio::test]
async fn a_build_that_never_ends_is_ended() {
    let builder = Builder::new().await;
    let built = builder
        .build_script("while true; do echo x; sleep 0.2; done", &[("GITDEPLOY_BUILD_SECONDS", "1")])
        .await;
    built.assert_failed(1, Outcome::TimedOut, FailureCode::BuildTimeout);
    let built = builder.build_script("sleep 600", &[("GITDEPLOY_BUILD_SILENT_SECONDS", "1")]).await;
    built.assert_failed(1, Outcome::TimedOut, FailureCode::BuildSilent);
}

#[tokio::test]
async fn no_process_of_a_build_is_left() {
    let builder = Builder::new().await;
    let mark = format!("98{}", std::process::id());
    let script = format!("sleep {mark} & mkdir dist; echo hi > dist/index.html");
    builder.build_script(&script, &[]).await.assert_ready();
    let left = std::process::Command::new("pgrep").args(["-f", &format!("sleep {mark}")]).output().unwrap();
    assert!(left.stdout.is_empty(), "{left:?}");
}

#[tokio::test]
async fn git_hooks_and_links_in_the_repository_do_nothing() {
    let builder = Builder::new().await;
    let repository = gitdeploy_test::git::Repository::new()
        .symlink("package.json", "/etc/shadow")
        .file("index.html", "hi")
        .commit("First");
    let built = builder.build(&repository, &[]).await;
    let told = format!("{:?}", built.events);
    assert!(!told.contains("root:"), "{told}");
    assert_ne!(built.exit_code, 0);
}

#[tokio::test]
async fn the_workspace_is_gone_after_the_build() {
    let builder = Builder::new().await;
    let workspaces = tempfile::tempdir().unwrap();
    let vars = [("GITDEPLOY_BUILD_WORKSPACE", workspaces.path().to_str().unwrap())];
    builder.build_script("mkdir dist; echo hi > dist/index.html", &vars).await.assert_ready();
    builder.build_script("exit 1", &vars).await;
    assert_eq!(workspaces.path().read_dir().unwrap().count(), 0);
    let unwritable = builder.program("site").var("GITDEPLOY_BUILD_WORKSPACE", "/proc/nowhere");
    Built::of(unwritable.start()).await.assert_failed(75, Outcome::PlatformError, FailureCode::BuilderFailed);
}
