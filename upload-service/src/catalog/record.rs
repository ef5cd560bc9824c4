//! A deployment as the catalog keeps it.

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::{BuildSettings, Source, UploadKind};
use gitdeploy_core::{
    Attempt, BuildSpec, CacheLevel, CacheMode, CacheUse, DeploymentId, Failure, OutputId, Phase, ProjectId,
    State,
};
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond;
use serde::{Deserialize, Serialize};

/// What a deployment is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The project's own host leads to it, once it is ready.
    #[default]
    Production,
    /// It is reached under its own id only.
    Preview,
}

/// Where the files of a deployment come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A repository that the builder clones.
    Git,
    /// An uploaded source tree that is built.
    Source,
    /// An uploaded site that is published as it is.
    Prebuilt,
}

/// A deployment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// Its project, which is made if it is unknown.
    pub project: ProjectId,
    /// What it is for.
    pub target: Target,
    /// Where its files come from.
    pub source: SourceKind,
    /// What is known of their origin; for [`SourceKind::Git`] the repository and the reference to build.
    pub origin: Origin,
    /// What the project says about its build.
    pub settings: BuildSettings,
    /// When it was asked for.
    pub created: Timestamp,
}

/// A deployment. Times are whole milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Its project.
    pub project: ProjectId,
    /// Where it stands.
    pub state: State,
    /// What its build does; of one that is not ready, what it did last.
    pub phase: Option<Phase>,
    /// What it is for.
    pub target: Target,
    /// How often it was started; zero while it waits for the first time.
    pub attempt: Attempt,
    /// Whether somebody asked to cancel it.
    pub cancel_requested: bool,
    /// Where its files come from.
    pub source: SourceKind,
    /// What is known of their origin.
    pub origin: Origin,
    /// What the project says about its build.
    pub settings: BuildSettings,
    /// When it was asked for.
    #[serde(with = "millisecond::required")]
    pub created: Timestamp,
    /// When its build was last started.
    #[serde(default, with = "millisecond::optional")]
    pub started: Option<Timestamp>,
    /// When it came to its end.
    #[serde(default, with = "millisecond::optional")]
    pub finished: Option<Timestamp>,
    /// How many files it has.
    pub files: Option<u64>,
    /// How large they are together, in bytes.
    pub bytes: Option<u64>,
    /// Why it is not ready.
    pub failure: Option<Failure>,
    /// Until when the process that watches the build promises to look after it.
    #[serde(default, with = "millisecond::optional")]
    pub lease: Option<Timestamp>,
    /// Which process has promised it.
    pub holder: Option<String>,
    /// What the builder is called where it runs.
    pub task: Option<String>,
    /// The hash of the session that the builder of this attempt has opened with its claim.
    pub session: Option<Sha256>,
    /// Whether the project's own host leads to it.
    #[serde(skip)]
    pub production: bool,
}

impl Deployment {
    /// A deployment as it begins: it waits.
    pub(super) fn new(new: NewDeployment) -> Self {
        Self {
            id: new.id,
            project: new.project,
            state: State::Queued,
            phase: None,
            target: new.target,
            attempt: Attempt(0),
            cancel_requested: false,
            source: new.source,
            origin: new.origin,
            settings: new.settings,
            created: whole(new.created),
            started: None,
            finished: None,
            files: None,
            bytes: None,
            failure: None,
            lease: None,
            holder: None,
            task: None,
            session: None,
            production: false,
        }
    }

    /// What the builder is told, but for its address and what is in production meanwhile.
    pub fn spec(&self) -> BuildSpec {
        let upload = |kind| Source::Upload { kind, origin: self.origin.clone() };
        BuildSpec {
            project: self.project.clone(),
            deployment: Some(self.id.clone()),
            attempt: Some(self.attempt),
            url: None,
            previous: None,
            source: match self.source {
                SourceKind::Git => Source::Git {
                    repository: self.origin.repository.clone().unwrap_or_default(),
                    reference: self.origin.reference.clone(),
                },
                SourceKind::Source => upload(UploadKind::Source),
                SourceKind::Prebuilt => upload(UploadKind::Prebuilt),
            },
            settings: self.settings.clone(),
            cache: CacheUse { mode: CacheMode::default(), level: self.target.into() },
        }
    }

    /// What its objects and events are filed under.
    pub fn output(&self) -> OutputId {
        self.id.clone().into()
    }
}

impl From<Target> for CacheLevel {
    fn from(target: Target) -> Self {
        match target {
            Target::Production => Self::Production,
            Target::Preview => Self::Preview,
        }
    }
}

impl From<UploadKind> for SourceKind {
    fn from(kind: UploadKind) -> Self {
        match kind {
            UploadKind::Source => Self::Source,
            UploadKind::Prebuilt => Self::Prebuilt,
        }
    }
}

/// The time without what is less than a millisecond, which no record keeps.
pub(super) fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
