//! Builds have users of their own, one for each at a time.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::binary::{Program, path};
use gitdeploy_test::git::Repository;
use nix::sys::signal::Signal;

use super::{SITE, builder, started_by};
use crate::harness::{Builder, Built, LIMIT};

/// A builder whose build says `waiting`, with a process in the background, and goes on for long.
fn waiting(builder: &Builder, users: &str) -> Program {
    let script = "setsid -f sleep 600; echo waiting; sleep 600";
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("First"));
    let program = builder.program("site").var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
    program.var("GITDEPLOY_BUILD_USERS", users.to_owned())
}

#[tokio::test]
async fn builds_at_the_same_time_see_nothing_of_each_other() {
    let builder = builder().await;
    let wait = "id -u > secret.txt; pwd > /tmp/gitdeploy-test-place; chmod 644 /tmp/gitdeploy-test-place; echo waiting; sleep 600";
    let look = format!(
        "there=$(cat /tmp/gitdeploy-test-place); echo at $there; cat $there/secret.txt && echo read; \
         ls $there/.. && echo listed; ls $there && echo listed; pkill sleep && echo killed; {SITE}"
    );
    builder.git.add("one", &Repository::new().file("build.sh", wait).commit("First"));
    builder.git.add("two", &Repository::new().file("build.sh", &look).commit("First"));
    let command = |repository, users: &str| {
        let program = builder.program(repository).var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
        program.var("GITDEPLOY_BUILD_USERS", users.to_owned())
    };
    let one = command("one", "1721-1722").start();
    one.wait_for_line(r#""text":"waiting""#, LIMIT).await;
    let two = Built::of(command("two", "1721-1722").start()).await;
    two.assert_ready();
    let lines = two.lines();
    assert!(lines.iter().any(|line| line.starts_with("at /")), "{lines:?}");
    for told in ["read", "listed", "killed"] {
        assert!(!lines.contains(&told), "{told}: {lines:?}");
    }
    one.signal(Signal::SIGTERM);
    Built::of(one).await;
}

#[tokio::test]
async fn what_a_build_leaves_behind_is_gone_for_the_next() {
    let builder = builder().await;
    let vars = [("GITDEPLOY_BUILD_USERS", "1723")];
    let leave = format!("mkdir /tmp/gitdeploy-test-left; touch /dev/shm/gitdeploy-test-left; {SITE}");
    builder.build_script(&leave, &vars).await.assert_ready();
    let look = format!("ls -d /tmp/gitdeploy-test-left /dev/shm/gitdeploy-test-left && echo found; {SITE}");
    let built = builder.build_script(&look, &vars).await;
    built.assert_ready();
    assert!(!built.lines().contains(&"found"), "{:?}", built.lines());
}

#[tokio::test]
async fn a_builder_that_is_killed_leaves_nothing_that_the_next_build_meets() {
    let builder = builder().await;
    let mut running = waiting(&builder, "1724").start();
    running.wait_for_line(r#""text":"waiting""#, LIMIT).await;
    running.signal(Signal::SIGKILL);
    running.wait(LIMIT).await;
    let look = format!("pgrep -r R,S,D -U 1724 sleep && echo found; {SITE}");
    let built = builder.build_script(&look, &[("GITDEPLOY_BUILD_USERS", "1724")]).await;
    built.assert_ready();
    assert!(!built.lines().contains(&"found"), "{:?}", built.lines());
}

#[tokio::test]
async fn without_a_free_user_a_build_waits_and_then_says_so() {
    let builder = builder().await;
    let program = || waiting(&builder, "1725").var("GITDEPLOY_BUILD_READY_SECONDS", "1");
    let running = program().start();
    running.wait_for_line(r#""text":"waiting""#, LIMIT).await;
    let built = Built::of(program().start()).await;
    built.assert_failed(75, Outcome::PlatformError, FailureCode::BuilderFailed);
    assert!(built.end().failure.as_ref().unwrap().cause.contains("GITDEPLOY_BUILD_USERS"));
    running.signal(Signal::SIGTERM);
    Built::of(running).await;
}

/// A builder that is not root finds what its commands leave behind as well, and bars the same system calls.
#[tokio::test]
async fn a_builder_that_is_not_root_leaves_no_daemon_either() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let builder = builder().await;
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::copy(path("build-server"), place.path().join("build-server")).unwrap();
    chown(builder.store.path(), Some(1726), Some(1726)).unwrap();
    let script = format!(
        "setsid -f sleep 600 >/dev/null 2>&1; (setsid -f sleep 600 &) >/dev/null 2>&1; sleep 0.2; pgrep -c -U 1726 sleep; \
         grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status; head -c 1 /proc/$PPID/environ && echo read; {SITE}"
    );
    builder.git.add("site", &Repository::new().file("build.sh", &script).commit("First"));
    let program = Program::new("setpriv")
        .args(["--reuid", "1726", "--regid", "1726", "--clear-groups"])
        .arg(place.path().join("build-server"));
    let program = started_by(&builder, program).var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
    let built = Built::of(program.start()).await;
    built.assert_ready();
    let lines = built.lines();
    for expected in ["2", "Seccomp:\t2", "NoNewPrivs:\t1"] {
        assert!(lines.contains(&expected), "{expected}: {lines:?}");
    }
    assert!(!lines.contains(&"read"), "{lines:?}");
    assert_eq!(super::processes_of(1726), "");
}
