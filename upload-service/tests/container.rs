//! Builders as sibling containers, with a script that stands in for docker's command line.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use gitdeploy_bus::EventBus;
use gitdeploy_core::spec::{BuildSettings, Source};
use gitdeploy_core::{Attempt, BuildSpec, CacheUse};
use tempfile::TempDir;
use upload_service::Launcher;
use upload_service::launcher::{Build, Ended, LaunchError, Order};

const PATIENCE: Duration = Duration::from_secs(30);

const NAME: &str = "gitdeploy-06gzr1vtp7njn36zcgxy-2";

/// Notes what it is called with, for each of its commands.
const PRELUDE: &str = r#"#!/bin/sh
command=$1
printf '%s\n' "$@" > "$TMPDIR/$command.arguments.part"
mv "$TMPDIR/$command.arguments.part" "$TMPDIR/$command.arguments"
env > "$TMPDIR/$command.env"
[ "$command" = kill ] && exit 0
"#;

struct Docker(TempDir);

impl Docker {
    /// A docker whose containers run a shell script.
    fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("docker");
        std::fs::write(&program, format!("{PRELUDE}{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(directory)
    }

    async fn launch(&self) -> Result<Build, LaunchError> {
        let directory = self.0.path().to_str().unwrap();
        let vars = [
            ("PATH", format!("{directory}:/usr/bin:/bin")),
            ("TMPDIR", directory.to_owned()),
            ("DOCKER_HOST", "unix:///run/docker.sock".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "hidden".to_owned()),
            ("GITDEPLOY_STORE_BUCKET", "sites".to_owned()),
            ("GITDEPLOY_API_TOKEN", "never passed".to_owned()),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value)).into();
        let options = ["--network", "builds", "--memory=4g"].map(str::to_owned).into();
        let launcher = Launcher::container("registry.example.org/builder:1", options, &vars);
        launcher.launch(&order(), &EventBus::memory()).await
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.path().join(file)).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }

    async fn until(&self, file: &str) {
        let there = async {
            while !self.0.path().join(file).exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, there).await.unwrap();
    }
}

fn order() -> Order {
    Order {
        spec: BuildSpec {
            project: "blog".parse().unwrap(),
            deployment: Some("06gzr1vtp7njn36zcgxy".parse().unwrap()),
            attempt: Some(Attempt(2)),
            url: None,
            previous: None,
            source: Source::Git { repository: "https://git.example.org/a".to_owned(), reference: None },
            settings: BuildSettings::default(),
            cache: CacheUse::default(),
        },
        ticket: None,
        keep: false,
        task: None,
    }
}

async fn ended(mut build: Build) -> Ended {
    tokio::time::timeout(PATIENCE, build.ended()).await.unwrap()
}

#[tokio::test]
async fn a_container_gets_its_variables_by_name_and_no_others() {
    let docker = Docker::new("echo 'no such image' >&2; exit 125");
    let ended = ended(docker.launch().await.unwrap()).await;
    assert_eq!((&*ended.reason, ended.last_words.as_deref()), ("exit code 125", Some("no such image")));

    let arguments = docker.lines("run.arguments");
    let expected = [
        "run",
        "--rm",
        "-i",
        "--name",
        NAME,
        "--network",
        "builds",
        "--memory=4g",
        "-e",
        "AWS_SECRET_ACCESS_KEY",
        "-e",
        "GITDEPLOY_STORE_BUCKET",
        "-e",
        "PROJECT_ID",
        "-e",
        "DEPLOYMENT_ID",
        "-e",
        "GITDEPLOY_ATTEMPT",
        "-e",
        "GIT_REPOSITORY_URL",
        "-e",
        "GITDEPLOY_BUILD_LAUNCHER",
        "registry.example.org/builder:1",
    ];
    assert_eq!(arguments, expected);
    let environment = docker.lines("run.env");
    for expected in [
        "AWS_SECRET_ACCESS_KEY=hidden",
        "DOCKER_HOST=unix:///run/docker.sock",
        "GITDEPLOY_ATTEMPT=2",
        "GITDEPLOY_BUILD_LAUNCHER=pipe",
    ] {
        assert!(environment.iter().any(|line| line == expected), "{expected} is not in {environment:?}");
    }
    assert!(!environment.iter().any(|line| line.contains("never passed")));
}

#[tokio::test]
async fn a_container_is_told_to_stop_by_a_signal() {
    let docker = Docker::new("trap 'exit 143' TERM; touch \"$TMPDIR/ready\"; sleep 600 & wait");
    let build = docker.launch().await.unwrap();
    docker.until("ready").await;
    build.stop(PATIENCE);
    assert_eq!(ended(build).await.reason, "exit code 143");
    assert!(!docker.0.path().join("kill.arguments").exists());
}

#[tokio::test]
async fn a_container_that_does_not_stop_is_killed_by_its_name() {
    let docker = Docker::new("trap '' TERM; touch \"$TMPDIR/ready\"; while :; do sleep 0.1; done");
    let build = docker.launch().await.unwrap();
    docker.until("ready").await;
    build.stop(Duration::ZERO);
    assert_eq!(ended(build).await.reason, "signal 9 (SIGKILL)");
    assert_eq!(docker.lines("kill.arguments"), ["kill", NAME]);
    assert!(docker.lines("kill.env").iter().any(|line| line == "DOCKER_HOST=unix:///run/docker.sock"));
}

#[tokio::test]
async fn a_container_that_nobody_waits_for_is_killed() {
    let docker = Docker::new("trap '' TERM; touch \"$TMPDIR/ready\"; while :; do sleep 0.1; done");
    let build = docker.launch().await.unwrap();
    docker.until("ready").await;
    drop(build);
    docker.until("kill.arguments").await;
    assert_eq!(docker.lines("kill.arguments"), ["kill", NAME]);
}

#[tokio::test]
async fn without_docker_the_operator_is_told_what_is_missing() {
    let docker = Docker::new("");
    std::fs::remove_file(docker.0.path().join("docker")).unwrap();
    // The machine may have one of its own elsewhere: this one finds none.
    let vars = vec![("PATH".to_owned(), docker.0.path().to_str().unwrap().to_owned())];
    let launcher = Launcher::container("builder:1", Vec::new(), &vars);
    let error = launcher.launch(&order(), &EventBus::memory()).await.unwrap_err();
    assert!(error.failure.fix.unwrap().contains("docker"));
}
