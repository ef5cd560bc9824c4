//! `RunTask`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::in_cluster;
use crate::aws::answer::{Outcome, Refusal, read};
use crate::aws::clock::{Clock, unique};
use crate::aws::cluster::Cluster;
use crate::aws::state::{Completed, Shared, State};
use crate::aws::task::{Status, Task, Times};

const LONGEST_OVERRIDES: usize = 8192;
const MOST_TASKS: usize = 10;
const MOST_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    cluster: Option<String>,
    task_definition: String,
    count: Option<usize>,
    client_token: Option<String>,
    started_by: Option<String>,
    launch_type: Option<String>,
    #[serde(default)]
    capacity_provider_strategy: Vec<Provider>,
    network_configuration: Option<Network>,
    #[serde(default)]
    overrides: Overrides,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default, rename = "enableECSManagedTags")]
    managed_tags: bool,
}

#[derive(Debug, Deserialize)]
struct Provider {
    #[serde(rename = "capacityProvider")]
    name: String,
    #[serde(default)]
    weight: u32,
    #[serde(default)]
    base: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    awsvpc_configuration: Option<Awsvpc>,
}

#[derive(Debug, Deserialize)]
struct Awsvpc {
    #[serde(default)]
    subnets: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    #[serde(default)]
    container_overrides: Vec<ContainerOverride>,
}

#[derive(Debug, Deserialize)]
struct ContainerOverride {
    name: Option<String>,
    #[serde(default)]
    environment: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn run_task(shared: &Arc<Shared>, body: Value) -> Outcome {
    // The rate is decided before anything else.
    if !shared.with(|state| state.faults.admits()) {
        return Err(Refusal::new("ThrottlingException", "Rate exceeded"));
    }
    let request: Run = read(body.clone())?;
    request.check(&shared.cluster, &body)?;
    let (completed, repeated) = shared.with(|state| match request.repeated(state, &body)? {
        Some(completed) => Ok((completed, true)),
        None => Outcome::Ok((complete(shared, state, &request, body), false)),
    })?;
    let tasks = completed.tasks.iter().filter_map(|arn| shared.task(arn));
    let shown = |task: Task| match task.status {
        Status::Stopped if repeated => task.in_short(),
        _ => task.shown(&shared.cluster, Clock::Epoch, true),
    };
    Ok(json!({"tasks": tasks.map(shown).collect::<Vec<_>>(), "failures": completed.failures}))
}

/// Starts the tasks if there is room for them, and keeps what came of it under the request's token.
fn complete(shared: &Arc<Shared>, state: &mut State, request: &Run, body: Value) -> Completed {
    let mut completed = Completed::default();
    match state.faults.no_room() {
        Some(reason) => {
            let arn = request.failed_arn(&shared.cluster);
            completed.failures.push(json!({"arn": arn, "reason": reason}));
        }
        None => {
            for _ in 0..request.count() {
                let task = request.task(&shared.cluster, &body);
                completed.tasks.push(task.arn.clone());
                shared.begin(state, task);
            }
        }
    }
    completed.request = without_token(body);
    if let Some(token) = &request.client_token {
        state.tokens.insert(token.clone(), completed.clone());
    }
    completed
}

impl Run {
    fn check(&self, cluster: &Cluster, body: &Value) -> Outcome<()> {
        in_cluster(cluster, self.cluster.as_deref())?;
        if !cluster.defines(&self.task_definition) {
            return Err(Refusal::new("ClientException", "TaskDefinition not found."));
        }
        if !(1..=MOST_TASKS).contains(&self.count()) {
            return Err(Refusal::parameter("Count must be between 1 and 10."));
        }
        let printed = |text: &str| text.bytes().all(|byte| (33..=126).contains(&byte));
        if self.client_token.as_ref().is_some_and(|token| token.len() > 64 || !printed(token)) {
            return Err(Refusal::parameter(
                "clientToken must have at most 64 characters of the range 33-126.",
            ));
        }
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-/_".contains(c));
        if self.started_by.as_ref().is_some_and(|by| by.len() > 128 || !plain(by)) {
            return Err(Refusal::parameter(
                "startedBy must have at most 128 letters, numbers, hyphens, slashes and underscores.",
            ));
        }
        self.check_overrides(cluster, body)?;
        self.check_place()?;
        self.check_tags()
    }

    fn check_overrides(&self, cluster: &Cluster, body: &Value) -> Outcome<()> {
        let length = body.get("overrides").map_or(0, |overrides| overrides.to_string().chars().count());
        if length > LONGEST_OVERRIDES {
            return Err(Refusal::parameter("Container Overrides length must be at most 8192"));
        }
        for given in &self.overrides.container_overrides {
            let name = given.name.as_deref().unwrap_or_default();
            if name != cluster.container {
                let message =
                    format!("Override for container named {name} is not a container in the TaskDefinition.");
                return Err(Refusal::parameter(message));
            }
        }
        Ok(())
    }

    fn check_place(&self) -> Outcome<()> {
        if self.launch_type.is_some() && !self.capacity_provider_strategy.is_empty() {
            return Err(Refusal::parameter(
                "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
            ));
        }
        if !matches!(self.launch_type.as_deref(), None | Some("FARGATE" | "EC2" | "EXTERNAL")) {
            return Err(Refusal::parameter("Launch type should be one of [EC2, FARGATE, EXTERNAL]."));
        }
        if self.capacity_provider_strategy.iter().all(|provider| provider.weight == 0 && provider.base == 0)
            && !self.capacity_provider_strategy.is_empty()
        {
            return Err(Refusal::parameter("At least one capacity provider must have a weight above 0."));
        }
        let network =
            self.network_configuration.as_ref().and_then(|network| network.awsvpc_configuration.as_ref());
        match network {
            None if self.placed_on() == "FARGATE" => Err(Refusal::parameter(
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            )),
            Some(network) if network.subnets.is_empty() => {
                Err(Refusal::parameter("subnets can not be empty."))
            }
            _ => Ok(()),
        }
    }

    fn check_tags(&self) -> Outcome<()> {
        let bad = |tag: &Tag| {
            tag.key.is_empty()
                || tag.key.chars().count() > 128
                || tag.value.chars().count() > 256
                || tag.key.to_lowercase().starts_with("aws:")
        };
        if self.tags.len() > MOST_TAGS || self.tags.iter().any(bad) {
            return Err(Refusal::parameter(
                "Invalid tag: 50 at most, keys of 1-128 and values of 0-256 characters, `aws:` is reserved.",
            ));
        }
        Ok(())
    }

    /// What was answered to the same request before.
    fn repeated(&self, state: &State, body: &Value) -> Outcome<Option<Completed>> {
        let Some(first) = self.client_token.as_ref().and_then(|token| state.tokens.get(token)) else {
            return Ok(None);
        };
        if first.request == without_token(body.clone()) {
            return Ok(Some(first.clone()));
        }
        let message =
            "The request could not be processed because of conflict in the current state of the resource.";
        let mut conflict = Refusal::new("ConflictException", message);
        conflict.more.insert("resourceIds".to_owned(), json!(first.tasks));
        Err(conflict)
    }

    fn task(&self, cluster: &Cluster, body: &Value) -> Task {
        let overrides = &self.overrides.container_overrides;
        let variables = overrides.iter().flat_map(|given| &given.environment);
        let mut tags: Vec<_> = self.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        if self.managed_tags {
            tags.push(("aws:ecs:clusterName".to_owned(), cluster.name.clone()));
        }
        Task {
            arn: cluster.task_arn(&unique()),
            status: Status::Provisioning,
            stopping: false,
            version: 1,
            started_by: self.started_by.clone(),
            client_token: self.client_token.clone(),
            launch_type: self.placed_on().to_owned(),
            capacity_provider: self.provider().map(str::to_owned),
            tags,
            environment: variables.map(|variable| (variable.name.clone(), variable.value.clone())).collect(),
            request: body.clone(),
            exit_code: None,
            container_reason: None,
            stop_code: None,
            stopped_reason: None,
            process: None,
            output: Vec::new(),
            times: Times::begin(),
            forgotten: false,
        }
    }

    fn count(&self) -> usize {
        self.count.unwrap_or(1)
    }

    /// The provider of the strategy that the first task goes to.
    fn provider(&self) -> Option<&str> {
        let first = self
            .capacity_provider_strategy
            .iter()
            .rev()
            .max_by_key(|provider| (provider.base, provider.weight));
        first.map(|provider| provider.name.as_str())
    }

    fn placed_on(&self) -> &str {
        match self.provider() {
            Some("FARGATE" | "FARGATE_SPOT") => "FARGATE",
            Some(_) => "EC2",
            None => self.launch_type.as_deref().unwrap_or("EC2"),
        }
    }

    /// What a failure names.
    fn failed_arn(&self, cluster: &Cluster) -> String {
        match self.placed_on() {
            "FARGATE" => cluster.task_definition_arn(),
            _ => cluster.arn().replace(":cluster/", ":container-instance/"),
        }
    }
}

fn without_token(mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.remove("clientToken");
    }
    body
}
