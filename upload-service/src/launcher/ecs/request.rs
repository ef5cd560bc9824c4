//! What is asked of ECS to start one builder.

use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, KeyValuePair,
    LaunchType, NetworkConfiguration, Tag, TaskOverride,
};
use gitdeploy_core::claim::variable as claim;
use gitdeploy_core::spec::{Source, variable};
use gitdeploy_core::{Failure, FailureCode};
use secrecy::ExposeSecret as _;

use super::config::{Capacity, EcsConfig};
use crate::git_address;
use crate::launcher::{LaunchError, Order};

/// How many characters ECS takes as overrides, with the JSON around them.
const LONGEST_OVERRIDES: usize = 8192;

/// How many tries there are on spot capacity before the builder gets a machine that stays.
const SPOT_TRIES: u32 = 3;

/// The tags of a task, by which it is found again.
pub(super) mod tag {
    pub(in super::super) const PROJECT: &str = "gitdeploy:project";
    pub(in super::super) const DEPLOYMENT: &str = "gitdeploy:deployment";
    pub(in super::super) const ATTEMPT: &str = "gitdeploy:attempt";
}

/// One start of one builder. The same order makes the same requests, so each may be sent again.
pub(super) struct Request<'a> {
    config: &'a EcsConfig,
    /// Whether the builder is to have a machine that stays.
    keep: bool,
    pub(super) deployment: &'a str,
    pub(super) attempt: String,
    project: &'a str,
    variables: Vec<(&'static str, &'a str)>,
}

impl<'a> Request<'a> {
    pub(super) fn new(config: &'a EcsConfig, order: &'a Order) -> Result<Self, LaunchError> {
        let spec = &order.spec;
        let (Some(deployment), Some(attempt)) = (&spec.deployment, spec.attempt) else {
            return Err(refused("a builder in ECS needs a deployment and an attempt"));
        };
        if order.ticket.is_none() {
            return Err(refused("a builder in ECS claims its build, and there is no address where it could"));
        }
        let mut request = Self {
            config,
            keep: order.keep,
            deployment: deployment.as_str(),
            attempt: attempt.to_string(),
            project: spec.project.as_str(),
            variables: variables(order),
        };
        if request.length() > LONGEST_OVERRIDES {
            // The claim says it too.
            request.variables.retain(|(name, _)| *name != variable::REPOSITORY);
        }
        if request.length() > LONGEST_OVERRIDES {
            return Err(refused("the address where builders claim is longer than ECS takes"));
        }
        Ok(request)
    }

    /// The request with one of the attempt's client tokens. All that it asks for follows from the order and
    /// `turn`, so whoever sends it sends the same: the first turns are on capacity that may be taken back.
    pub(super) fn run_task(&self, client: &aws_sdk_ecs::Client, turn: u32) -> RunTaskFluentBuilder {
        let spot = !self.keep && turn < SPOT_TRIES;
        let run_task = client
            .run_task()
            .client_token(format!("{}.{}.{turn}", self.deployment, self.attempt))
            .cluster(&self.config.cluster)
            .task_definition(&self.config.task_definition)
            .count(1)
            .started_by(self.deployment)
            .tags(label(tag::PROJECT, self.project))
            .tags(label(tag::DEPLOYMENT, self.deployment))
            .tags(label(tag::ATTEMPT, &self.attempt))
            .overrides(self.overrides())
            .set_network_configuration(self.network());
        match (self.config.capacity, &self.config.capacity_provider) {
            (Capacity::Fargate, _) => run_task.launch_type(LaunchType::Fargate),
            (Capacity::FargateSpot, _) if !spot => run_task.launch_type(LaunchType::Fargate),
            (Capacity::FargateSpot, _) => run_task.capacity_provider_strategy(provider("FARGATE_SPOT")),
            (Capacity::Ec2, Some(name)) => run_task.capacity_provider_strategy(provider(name)),
            (Capacity::Ec2, None) => run_task.launch_type(LaunchType::Ec2),
        }
    }

    fn overrides(&self) -> TaskOverride {
        let environment =
            self.environment().map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
        let container = ContainerOverride::builder()
            .name(&self.config.container)
            .set_environment(Some(environment.collect()));
        TaskOverride::builder().container_overrides(container.build()).build()
    }

    fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let attempt = (variable::ATTEMPT, self.attempt.as_str());
        self.variables.iter().copied().chain([attempt])
    }

    fn network(&self) -> Option<NetworkConfiguration> {
        let config = self.config;
        if config.subnets.is_empty() {
            return None;
        }
        let public = match (config.capacity, config.assign_public_ip) {
            (Capacity::Ec2, _) => None,
            (_, true) => Some(AssignPublicIp::Enabled),
            (_, false) => Some(AssignPublicIp::Disabled),
        };
        let groups = (!config.security_groups.is_empty()).then(|| config.security_groups.clone());
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(config.subnets.clone()))
            .set_security_groups(groups)
            .set_assign_public_ip(public)
            .build()
            .expect("there are subnets");
        Some(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
    }

    /// How long the overrides are as JSON, in characters.
    fn length(&self) -> usize {
        let environment: Vec<_> = self
            .environment()
            .map(|(name, value)| serde_json::json!({"name": name, "value": value}))
            .collect();
        let container = serde_json::json!({"name": self.config.container, "environment": environment});
        serde_json::json!({"containerOverrides": [container]}).to_string().chars().count()
    }
}

/// What stands in the environment of a task can be read by whoever may describe tasks. So nothing does that is
/// secret, but for the token, which is of no use once the builder has claimed.
fn variables(order: &Order) -> Vec<(&'static str, &str)> {
    let spec = &order.spec;
    let mut variables = vec![(variable::PROJECT, spec.project.as_str())];
    if let Some(deployment) = &spec.deployment {
        variables.push((variable::DEPLOYMENT, deployment.as_str()));
    }
    if let Some(ticket) = &order.ticket {
        variables.push((claim::URL, &ticket.url));
        variables.push((claim::TOKEN, ticket.token.expose_secret()));
    }
    if let Source::Git { repository, .. } = &spec.source
        && may_be_read(repository)
    {
        variables.push((variable::REPOSITORY, repository));
    }
    variables
}

/// Whether the address of a repository holds nothing that could be a password or a token.
fn may_be_read(repository: &str) -> bool {
    git_address::check(repository).is_ok() && !repository.contains(['?', '#'])
}

fn label(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn provider(name: &str) -> CapacityProviderStrategyItem {
    CapacityProviderStrategyItem::builder().capacity_provider(name).weight(1).build().expect("it has a name")
}

fn refused(cause: &str) -> LaunchError {
    let failure =
        Failure::new(FailureCode::LaunchRefused, cause).fix("tell the operator of the upload service");
    LaunchError { failure }
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::spec::{BuildSettings, UploadKind};
    use gitdeploy_core::{Attempt, BuildSpec, CacheUse};
    use secrecy::SecretString;

    use super::*;
    use crate::launcher::Ticket;

    fn order(source: Source, url: &str) -> Order {
        Order {
            spec: BuildSpec {
                project: "blog".parse().unwrap(),
                deployment: Some("06gzr1vtp7njn36zcgxy".parse().unwrap()),
                attempt: Some(Attempt(2)),
                url: None,
                previous: None,
                source,
                settings: BuildSettings { command: Some("make".to_owned()), ..BuildSettings::default() },
                cache: CacheUse::default(),
            },
            ticket: Some(Ticket { url: url.to_owned(), token: SecretString::from("one-use") }),
            keep: false,
            task: None,
        }
    }

    fn git(repository: &str) -> Source {
        Source::Git { repository: repository.to_owned(), reference: Some("main".to_owned()) }
    }

    fn client() -> aws_sdk_ecs::Client {
        let config =
            aws_sdk_ecs::Config::builder().behavior_version(aws_sdk_ecs::config::BehaviorVersion::latest());
        aws_sdk_ecs::Client::from_conf(config.build())
    }

    fn names(source: Source, url: &str) -> Vec<String> {
        let (config, order) = (EcsConfig::default(), order(source, url));
        let request = Request::new(&config, &order).unwrap();
        assert!(request.length() <= LONGEST_OVERRIDES);
        request.environment().map(|(name, _)| name.to_owned()).collect()
    }

    const URL: &str = "https://api.example.org/internal/v1/builds/06gzr1vtp7njn36zcgxy";

    #[test]
    fn only_what_a_builder_needs_to_claim_stands_in_its_environment() {
        let with_repository = [
            "PROJECT_ID",
            "DEPLOYMENT_ID",
            "GITDEPLOY_CLAIM_URL",
            "GITDEPLOY_CLAIM_TOKEN",
            "GIT_REPOSITORY_URL",
            "GITDEPLOY_ATTEMPT",
        ];
        assert_eq!(names(git("https://git.example.org/a/blog"), URL), with_repository);
        assert_eq!(names(git("git@git.example.org:a/blog"), URL), with_repository);
        let without: Vec<_> =
            with_repository.into_iter().filter(|name| *name != "GIT_REPOSITORY_URL").collect();
        for secret in [
            "https://user:hunter2@git.example.org/a/blog",
            "https://hunter2@git.example.org/a/blog",
            "https:///hunter2@git.example.org/a/blog",
            "https://git.example.org/a/blog?token=hunter2",
            "https://git.example.org/a/blog#hunter2",
        ] {
            assert_eq!(names(git(secret), URL), without, "{secret}");
        }
        let upload =
            Source::Upload { kind: UploadKind::Source, origin: gitdeploy_core::manifest::Origin::default() };
        assert_eq!(names(upload, URL), without);
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_claim() {
        let long = format!("https://git.example.org/{}", "ü\"".repeat(3000));
        assert!(!names(git(&long), URL).contains(&"GIT_REPOSITORY_URL".to_owned()));
        let (config, order) =
            (EcsConfig::default(), order(git("https://git.example.org/a"), &"x".repeat(9000)));
        let error = Request::new(&config, &order).err().unwrap();
        assert_eq!(error.failure.code, FailureCode::LaunchRefused);
    }

    #[test]
    fn without_a_ticket_nothing_is_launched() {
        let order = Order { ticket: None, ..order(git("https://git.example.org/a"), URL) };
        assert!(Request::new(&EcsConfig::default(), &order).is_err());
    }

    #[test]
    fn the_request_is_the_same_for_the_same_attempt() {
        let order = order(git("https://git.example.org/a/blog"), URL);
        let config = EcsConfig {
            cluster: "builds".to_owned(),
            task_definition: "gitdeploy-builder".to_owned(),
            subnets: vec!["subnet-1".to_owned()],
            ..EcsConfig::default()
        };
        let input =
            || Request::new(&config, &order).unwrap().run_task(&client(), 7).as_input().clone().build();
        let first = input().unwrap();
        assert_eq!(first, input().unwrap());
        assert_eq!(first.client_token(), Some("06gzr1vtp7njn36zcgxy.2.7"));
        assert_eq!(first.started_by(), Some("06gzr1vtp7njn36zcgxy"));
        let tags: Vec<_> =
            first.tags().iter().map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect();
        assert_eq!(
            tags,
            [
                ("gitdeploy:project", "blog"),
                ("gitdeploy:deployment", "06gzr1vtp7njn36zcgxy"),
                ("gitdeploy:attempt", "2")
            ]
        );
    }

    #[test]
    fn what_a_builder_runs_on_is_a_setting() {
        let check =
            |capacity, provider: Option<&str>, (keep, turn), expected: (Option<&str>, Option<&str>)| {
                let config = EcsConfig {
                    capacity,
                    capacity_provider: provider.map(ToOwned::to_owned),
                    ..EcsConfig::default()
                };
                let order = Order { keep, ..order(git("https://git.example.org/a/blog"), URL) };
                let request = Request::new(&config, &order).unwrap().run_task(&client(), turn);
                let input = request.as_input().clone().build().unwrap();
                let strategy = input.capacity_provider_strategy().first();
                let got = (
                    input.launch_type().map(LaunchType::as_str),
                    strategy.map(CapacityProviderStrategyItem::capacity_provider),
                );
                assert_eq!(got, expected);
            };
        let first = (false, 0);
        check(Capacity::Fargate, None, first, (Some("FARGATE"), None));
        check(Capacity::FargateSpot, None, first, (None, Some("FARGATE_SPOT")));
        check(Capacity::FargateSpot, None, (false, SPOT_TRIES - 1), (None, Some("FARGATE_SPOT")));
        check(Capacity::FargateSpot, None, (false, SPOT_TRIES), (Some("FARGATE"), None));
        check(Capacity::FargateSpot, None, (true, 0), (Some("FARGATE"), None));
        check(Capacity::Ec2, None, first, (Some("EC2"), None));
        check(Capacity::Ec2, Some("arm"), first, (None, Some("arm")));
    }
}
