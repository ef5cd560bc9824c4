//! The settings of builders that are tasks of ECS.

use std::num::NonZeroU32;

use gitdeploy_runtime::{SettingError, Vars, section};
use serde::Deserialize;
use url::Url;

/// The longest that launches may be waited for and tasks may live, in seconds: a week.
const LONGEST_SECONDS: u32 = 7 * 24 * 3600;

/// The settings `GITDEPLOY_ECS_*`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EcsConfig {
    /// The name or the ARN of the cluster; absent: builders are processes.
    pub cluster: String,
    /// The builder's task definition: its family, `family:revision` or its ARN.
    pub task_definition: String,
    /// The name of the builder's container in the task definition.
    pub container: String,
    /// The subnets that builders are in. Fargate needs them.
    pub subnets: Vec<String>,
    /// The security groups around builders.
    pub security_groups: Vec<String>,
    /// Whether builders have an address of their own in the internet, as they need in a public subnet of Fargate.
    pub assign_public_ip: bool,
    /// What builders run on.
    pub capacity: Capacity,
    /// The capacity provider of `ec2`; absent: any instance of the cluster.
    pub capacity_provider: Option<String>,
    /// The SQS queue of the cluster's task state changes; absent: tasks are only asked about.
    pub events_queue_url: Option<String>,
    /// How many launches a second this process asks for at most. ECS allows 20.
    pub launches_per_second: NonZeroU32,
    /// How long throttling, missing capacity and an unreachable ECS are waited out, in seconds.
    pub launch_seconds: u32,
    /// The longest life of a task, in seconds.
    pub task_seconds: NonZeroU32,
    /// How often tasks are asked about, in seconds.
    pub poll_seconds: NonZeroU32,
}

/// What builders run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capacity {
    /// Machines of AWS, by the second.
    Fargate,
    /// The same for less, but they may be taken back.
    FargateSpot,
    /// Instances of the cluster.
    Ec2,
}

impl EcsConfig {
    /// Reads the settings; nothing if builders are processes.
    pub fn from_vars(vars: &Vars) -> Result<Option<Self>, SettingError> {
        let mut config: Self = section("GITDEPLOY_ECS_", vars)?;
        if config.cluster.is_empty() {
            return Ok(None);
        }
        tidy(&mut config.subnets);
        tidy(&mut config.security_groups);
        config.check()?;
        Ok(Some(config))
    }

    fn check(&self) -> Result<(), SettingError> {
        let wrong =
            |name: &str, reason: &str| Err(SettingError::new(format!("GITDEPLOY_ECS_{name}"), reason));
        if self.task_definition.is_empty() {
            return wrong("TASK_DEFINITION", "it is not set; it says which task definition builders have");
        }
        if self.subnets.is_empty() && self.capacity != Capacity::Ec2 {
            return wrong("SUBNETS", "it is not set; tasks of Fargate need at least one subnet");
        }
        if self.subnets.is_empty() && !self.security_groups.is_empty() {
            return wrong("SECURITY_GROUPS", "security groups need `GITDEPLOY_ECS_SUBNETS`");
        }
        if self.capacity == Capacity::Ec2 && self.assign_public_ip {
            return wrong("ASSIGN_PUBLIC_IP", "only tasks of Fargate can have a public address");
        }
        if self.capacity != Capacity::Ec2 && self.capacity_provider.is_some() {
            return wrong("CAPACITY_PROVIDER", "it needs `GITDEPLOY_ECS_CAPACITY=ec2`");
        }
        let is_address =
            |url: &String| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !self.events_queue_url.iter().all(is_address) {
            return wrong("EVENTS_QUEUE_URL", "it must be the `https` address of an SQS queue");
        }
        let seconds = [
            ("LAUNCH_SECONDS", self.launch_seconds),
            ("TASK_SECONDS", self.task_seconds.get()),
            ("POLL_SECONDS", self.poll_seconds.get()),
        ];
        match seconds.iter().find(|(_, seconds)| *seconds > LONGEST_SECONDS) {
            Some((name, _)) => wrong(name, "it is longer than a week"),
            None => Ok(()),
        }
    }

    /// The family of the task definition.
    pub(super) fn family(&self) -> &str {
        let name = self
            .task_definition
            .rsplit_once("task-definition/")
            .map_or(&*self.task_definition, |(_, name)| name);
        name.split(':').next().unwrap_or(name)
    }
}

impl Default for EcsConfig {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).expect("it is not zero");
        Self {
            cluster: String::new(),
            task_definition: String::new(),
            container: "builder".to_owned(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            assign_public_ip: false,
            capacity: Capacity::Fargate,
            capacity_provider: None,
            events_queue_url: None,
            launches_per_second: number(15),
            launch_seconds: 600,
            task_seconds: number(5400),
            poll_seconds: number(10),
        }
    }
}

fn tidy(list: &mut Vec<String>) {
    for item in list.iter_mut() {
        *item = item.trim().to_owned();
    }
    list.retain(|item| !item.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: &[(&str, &str)] = &[
        ("GITDEPLOY_ECS_CLUSTER", "builds"),
        ("GITDEPLOY_ECS_TASK_DEFINITION", "gitdeploy-builder"),
        ("GITDEPLOY_ECS_SUBNETS", "subnet-1, subnet-2,"),
    ];

    fn config(more: &[(&str, &str)]) -> Result<Option<EcsConfig>, SettingError> {
        let list = ENOUGH.iter().filter(|(name, _)| !more.iter().any(|(other, _)| name == other)).chain(more);
        EcsConfig::from_vars(&list.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn without_a_cluster_builders_are_processes() {
        assert_eq!(EcsConfig::from_vars(&Vars::new()), Ok(None));
        assert_eq!(config(&[("GITDEPLOY_ECS_CLUSTER", "")]), Ok(None));
    }

    #[test]
    fn settings_are_read() {
        let read = config(&[
            ("GITDEPLOY_ECS_CAPACITY", "fargate-spot"),
            ("GITDEPLOY_ECS_SECURITY_GROUPS", "sg-1"),
            ("GITDEPLOY_ECS_ASSIGN_PUBLIC_IP", "true"),
            ("GITDEPLOY_ECS_EVENTS_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/111122223333/tasks"),
            ("GITDEPLOY_ECS_LAUNCHES_PER_SECOND", "3"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!(read.subnets, ["subnet-1", "subnet-2"]);
        assert_eq!(read.security_groups, ["sg-1"]);
        assert_eq!(read.capacity, Capacity::FargateSpot);
        assert!(read.assign_public_ip && read.events_queue_url.is_some());
        assert_eq!((read.launches_per_second.get(), read.poll_seconds.get()), (3, 10));
        assert_eq!(read.container, "builder");
    }

    #[test]
    fn instances_need_no_subnets() {
        let vars = [
            ("GITDEPLOY_ECS_SUBNETS", ""),
            ("GITDEPLOY_ECS_CAPACITY", "ec2"),
            ("GITDEPLOY_ECS_CAPACITY_PROVIDER", "arm"),
        ];
        assert_eq!(config(&vars).unwrap().unwrap().capacity_provider.as_deref(), Some("arm"));
    }

    #[test]
    fn the_wrong_setting_is_named() {
        let check = |name: &str, value: &str| {
            let error = config(&[(name, value)]).unwrap_err();
            assert_eq!(error.variable, name, "{error}");
        };
        check("GITDEPLOY_ECS_TASK_DEFINITION", "");
        check("GITDEPLOY_ECS_SUBNETS", "");
        check("GITDEPLOY_ECS_CAPACITY", "lambda");
        check("GITDEPLOY_ECS_CAPACITY_PROVIDER", "arm");
        check("GITDEPLOY_ECS_EVENTS_QUEUE_URL", "tasks");
        check("GITDEPLOY_ECS_EVENTS_QUEUE_URL", "ftp://queue");
        check("GITDEPLOY_ECS_LAUNCHES_PER_SECOND", "0");
        check("GITDEPLOY_ECS_TASK_SECONDS", "99999999");
        check("GITDEPLOY_ECS_POLL_SECONDS", "0");
        let instances = ("GITDEPLOY_ECS_CAPACITY", "ec2");
        let wrong = |more: &[(&str, &str)]| config(more).unwrap_err().variable;
        let public = ("GITDEPLOY_ECS_ASSIGN_PUBLIC_IP", "true");
        assert_eq!(wrong(&[instances, public]), "GITDEPLOY_ECS_ASSIGN_PUBLIC_IP");
        let groups = ("GITDEPLOY_ECS_SECURITY_GROUPS", "sg-1");
        assert_eq!(
            wrong(&[instances, groups, ("GITDEPLOY_ECS_SUBNETS", "")]),
            "GITDEPLOY_ECS_SECURITY_GROUPS"
        );
    }

    #[test]
    fn the_family_is_found_in_every_form() {
        for form in [
            "gitdeploy-builder",
            "gitdeploy-builder:7",
            "arn:aws:ecs:eu-central-1:111122223333:task-definition/gitdeploy-builder:7",
        ] {
            let config = EcsConfig { task_definition: form.to_owned(), ..EcsConfig::default() };
            assert_eq!(config.family(), "gitdeploy-builder", "{form}");
        }
    }
}
