//! An ECS, launchers that use it, and orders.

use std::num::NonZeroU32;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::Credentials;
use gitdeploy_bus::EventBus;
use gitdeploy_core::spec::{BuildSettings, Source};
use gitdeploy_core::{Attempt, BuildSpec, CacheUse, DeploymentId};
use gitdeploy_test::aws::{Aws, Cluster, Task};
use jiff::Timestamp;
use upload_service::Launcher;
use upload_service::launcher::{Build, EcsConfig, Ended, LaunchError, Order, Ticket};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A builder that runs until it is told to stop.
pub(crate) const STEADY: &str = "trap 'exit 143' TERM; sleep 600 & wait";

/// An ECS whose tasks run a shell script.
pub(crate) async fn aws(script: &str) -> Aws {
    Aws::start(cluster(script)).await.unwrap()
}

pub(crate) fn cluster(script: &str) -> Cluster {
    Cluster {
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        stop_timeout: Duration::from_secs(2),
        ..Cluster::of("/bin/sh")
    }
}

/// Settings with which tests end quickly. Tasks are asked about; nobody reads their events.
pub(crate) fn config(aws: &Aws) -> EcsConfig {
    EcsConfig {
        cluster: aws.cluster().name.clone(),
        task_definition: aws.cluster().task_definition.clone(),
        subnets: vec!["subnet-1".to_owned()],
        security_groups: vec!["sg-1".to_owned()],
        launches_per_second: number(500),
        launch_seconds: 60,
        poll_seconds: number(1),
        ..EcsConfig::default()
    }
}

/// The same, but only events tell.
pub(crate) fn with_events(aws: &Aws) -> EcsConfig {
    EcsConfig { events_queue_url: Some(aws.queue_url()), poll_seconds: number(3600), ..config(aws) }
}

pub(crate) fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) async fn shared(aws: &Aws) -> SdkConfig {
    let vars = aws.vars();
    let get = |name: &str| vars.iter().find(|(other, _)| other == name).unwrap().1.clone();
    shared_at(aws.endpoint(), get("AWS_REGION"), get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")).await
}

pub(crate) async fn shared_at(endpoint: &str, region: String, key: String, secret: String) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(Credentials::new(key, secret, None, None, "test"))
        .endpoint_url(endpoint);
    loader.load().await
}

pub(crate) async fn launcher(aws: &Aws, config: EcsConfig) -> Launcher {
    Launcher::ecs(config, &shared(aws).await)
}

pub(crate) fn deployment(number: u64) -> DeploymentId {
    DeploymentId::new(Timestamp::from_second(1_795_219_200).unwrap(), number)
}

/// The first start of a deployment.
pub(crate) fn order(number: u64) -> Order {
    Order {
        spec: BuildSpec {
            project: "blog".parse().unwrap(),
            deployment: Some(deployment(number)),
            attempt: Some(Attempt::FIRST),
            url: None,
            previous: None,
            source: Source::Git {
                repository: "https://git.example.org/a/blog".to_owned(),
                reference: Some("main".to_owned()),
            },
            settings: BuildSettings::default(),
            cache: CacheUse::default(),
        },
        ticket: Some(Ticket {
            url: format!("https://api.example.org/internal/v1/builds/{}", deployment(number)),
            token: "one-use".into(),
        }),
        keep: false,
        task: None,
    }
}

pub(crate) async fn launch(launcher: &Launcher, order: &Order) -> Result<Build, LaunchError> {
    tokio::time::timeout(PATIENCE, launcher.launch(order, &EventBus::memory())).await.unwrap()
}

pub(crate) async fn ended(mut build: Build) -> Ended {
    tokio::time::timeout(PATIENCE, build.ended()).await.unwrap()
}

/// Waits until a task's program runs.
pub(crate) async fn running(aws: &Aws, build: &Build) -> Task {
    let is_it = |task: &Task| Some(&*task.arn) == build.task() && task.process.is_some();
    let tasks = aws.until(PATIENCE, |tasks| tasks.iter().any(is_it)).await;
    tasks.into_iter().find(is_it).unwrap()
}
