//! A build that is told to stop, stops: soon, with an end, and without publishing.

use std::time::Duration;

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{FailureCode, Phase};
use gitdeploy_test::git::Repository;
use gitdeploy_test::s3::{Fault, Operation, S3Server};
use nix::sys::signal::Signal;

use crate::harness::{Builder, Built, LIMIT};

const CANCELED: i32 = 130;

/// How long a canceled build may go on: what ECS gives a task is 30 s.
const CANCEL: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_signal_cancels_the_build() {
    let builder = Builder::new().await;
    let script = "mkdir dist; echo hi > dist/index.html; echo started; sleep 600";
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("First"));
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let running = builder.program("site").var("GITDEPLOY_BUILD_COMMAND", "bash build.sh").start();
        running.wait_for_line(r#""text":"started""#, LIMIT).await;
        running.signal(signal);
        let built = Built::of(running).await;
        let end = built.end();
        assert_eq!(end.state, Outcome::Canceled);
        assert_eq!(end.failure.as_ref().unwrap().code, FailureCode::Canceled);
        assert_eq!(built.exit_code, CANCELED);
    }
    assert!(builder.manifest().is_none());
}

#[tokio::test]
async fn a_command_that_ignores_signals_is_killed() {
    let builder = Builder::new().await;
    let script = "trap '' INT TERM; echo started; while true; do sleep 1; done";
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("First"));
    let running = builder.program("site").var("GITDEPLOY_BUILD_COMMAND", "bash build.sh").start();
    running.wait_for_line(r#""text":"started""#, LIMIT).await;
    running.signal(Signal::SIGINT);
    assert_eq!(Built::of(running).await.end().state, Outcome::Canceled);
}

#[tokio::test]
async fn a_clone_is_canceled_too() {
    let builder = Builder::new().await;
    builder.git.add("site", &Repository::new().file("index.html", "hi").commit("First"));
    builder.git.hang("site");
    let running = builder.program("site").start();
    running.wait_for_line("cloning", LIMIT).await;
    running.signal(Signal::SIGINT);
    assert_eq!(Built::of(running).await.end().state, Outcome::Canceled);
}

#[tokio::test]
async fn an_install_is_canceled_too() {
    let builder = Builder::new().await;
    builder.git.add("site", &Repository::new().file("build.sh", "exit 1").commit("First"));
    let program = builder
        .program("site")
        .var("GITDEPLOY_BUILD_INSTALL", "echo started; sleep 600")
        .var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
    let running = program.start();
    running.wait_for_line(r#""text":"started""#, LIMIT).await;
    running.signal(Signal::SIGTERM);
    let built = Built::of(running).await;
    assert_eq!((built.end().state, built.end().phase), (Outcome::Canceled, Some(Phase::Install)));
}

/// A store that does not answer holds up no cancel: neither while the cache is looked for nor in the upload. What
/// is published already stays so if it is the cache that cannot be kept.
#[tokio::test]
async fn a_silent_store_does_not_hold_up_a_cancel() {
    let server = S3Server::start().await.unwrap();
    let builder = Builder::new().await;
    let site = "mkdir -p dist node_modules/.cache; echo hi > dist/index.html; date > node_modules/.cache/x";
    let repository = Repository::new()
        .file(
            "package.json",
            r#"{ "scripts": { "build": "bash build.sh" }, "devDependencies": { "parcel": "2" } }"#,
        )
        .file("build.sh", site);
    builder.git.add("site", &repository.commit("First"));
    let program = || {
        let program = builder.program("site").vars(server.vars());
        program.var("GITDEPLOY_BUILD_INSTALL", "true").var("GITDEPLOY_BUILD_OUTPUT", "dist")
    };
    for (operation, phase) in [(Operation::GetObject, Phase::Restore), (Operation::PutObject, Phase::Upload)]
    {
        let running = program().start();
        let started = |phase| format!(r#""phase":"{phase}","state":"started""#);
        // The store has been found by then.
        running.wait_for_line(&started(Phase::Boot), LIMIT).await;
        server.fail(operation, Fault::Silence, usize::MAX);
        running.wait_for_line(&started(phase), LIMIT).await;
        running.signal(Signal::SIGTERM);
        let built = Built::within(running, CANCEL).await;
        assert_eq!((built.end().state, built.end().phase), (Outcome::Canceled, Some(phase)));
        server.clear_faults();
    }
    assert!(!server.keys().iter().any(|key| key.starts_with("__manifests/")));
}

#[tokio::test]
async fn the_end_of_its_launcher_cancels_the_build() {
    let builder = Builder::new().await;
    let script = "echo started; sleep 600";
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("First"));
    let program = builder
        .program("site")
        .var("GITDEPLOY_BUILD_COMMAND", "bash build.sh")
        .var("GITDEPLOY_BUILD_LAUNCHER", "pipe")
        .open_input();
    let mut running = program.start();
    running.wait_for_line(r#""text":"started""#, LIMIT).await;
    running.close_input();
    assert_eq!(Built::of(running).await.end().state, Outcome::Canceled);
}
