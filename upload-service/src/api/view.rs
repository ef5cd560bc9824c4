//! Deployments and projects as the API shows them.

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::{DeploymentId, Failure, Phase, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::ProjectView;
use crate::catalog::{Deployment, SourceKind, Target};
use crate::config::SitesUrl;

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentView {
    /// Its id.
    pub id: DeploymentId,
    /// Its project.
    pub project: gitdeploy_core::ProjectId,
    /// Where it stands.
    pub state: State,
    /// What its build does; of one that is not ready, what it did last.
    pub phase: Option<Phase>,
    /// What it is for.
    pub target: Target,
    /// Where its files come from.
    pub source: SourceView,
    /// Its own address, for ever.
    pub url: String,
    /// The address of its project, if it is meant for production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production_url: Option<String>,
    /// Whether the address of its project leads to it.
    pub production: bool,
    /// How often it was started.
    pub attempt: u64,
    /// When it was asked for.
    pub created: Timestamp,
    /// When its build was last started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// How many files it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// How large they are together, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Where the files of a deployment come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// How they came.
    pub kind: SourceKind,
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch, tag or commit that was asked for, or the branch that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A part of the list of deployments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentList {
    /// The deployments, the newest first.
    pub items: Vec<DeploymentView>,
    /// What to give as `after` for the next part; absent: this was the last.
    pub next: Option<DeploymentId>,
}

/// All projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectList {
    /// The projects by name.
    pub items: Vec<ProjectView>,
}

impl DeploymentView {
    /// The deployment as it is shown where sites are at `sites`.
    pub(crate) fn new(deployment: Deployment, sites: &SitesUrl) -> Self {
        let Origin { repository, reference, commit, message } = deployment.origin;
        Self {
            url: sites.of(deployment.id.as_str()),
            production_url: (deployment.target == Target::Production)
                .then(|| sites.of(deployment.project.as_str())),
            id: deployment.id,
            project: deployment.project,
            state: deployment.state,
            phase: deployment.phase,
            target: deployment.target,
            source: SourceView { kind: deployment.source, repository, reference, commit, message },
            production: deployment.production,
            attempt: deployment.attempt.0,
            created: deployment.created,
            started: deployment.started,
            finished: deployment.finished,
            files: deployment.files,
            bytes: deployment.bytes,
            failure: deployment.failure,
        }
    }
}
