//! A build that is told to stop, stops: soon, with an end, and without publishing.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::Repository;
use nix::sys::signal::Signal;

use crate::harness::{Builder, Built, LIMIT};

const CANCELED: i32 = 130;

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
