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
async fn output_of_any_kind_becomes_lines() {
    let builder = Builder::new().await;
    let script = r"
        printf 'no end'; printf '\n'; printf 'bad \xff byte\n'; printf '10%%\r100%%\n'
        head -c 40000 /dev/zero | tr '\0' x; echo
        mkdir dist; echo hi > dist/index.html; printf 'last line without an end'
    ";
    let built = builder.build_script(script, &[]).await;
    built.assert_ready();
    let lines = built.lines();
    for expected in ["no end", "bad \u{FFFD} byte", "100%", "last line without an end"] {
        assert!(lines.contains(&expected), "{expected}: {lines:?}");
    }
    let long: usize = lines.iter().filter(|line| line.starts_with("xxx")).map(|line| line.len()).sum();
    assert_eq!(long, 40_000);
}

#[tokio::test]
async fn every_line_of_a_long_log_arrives() {
    let builder = Builder::new().await;
    let script = "seq 1 100000; mkdir dist; echo hi > dist/index.html";
    let built = builder.build_script(script, &[]).await;
    built.assert_ready();
    let numbers: Vec<_> = built.lines().iter().filter_map(|line| line.parse::<u32>().ok()).collect();
    assert!(numbers.into_iter().eq(1..=100_000));
    assert!(builder.archive() == built.events, "the archive differs");
}

#[tokio::test]
async fn long_lines_arrive_up_to_the_end() {
    let builder = Builder::new().await;
    let script =
        "head -c 30000000 /dev/zero | tr '\\0' x | fold -w 4000; mkdir dist; echo hi > dist/index.html";
    let built = builder.build_script(script, &[]).await;
    built.assert_ready();
    let bytes: usize =
        built.lines().iter().filter(|line| line.starts_with("xxx")).map(|line| line.len()).sum();
    assert_eq!(bytes, 30_000_000);
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
