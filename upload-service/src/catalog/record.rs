//! A deployment as the catalog keeps it.

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::{BuildSettings, Source, UploadKind};
use gitdeploy_core::{
    Attempt, BuildSpec, DeploymentId, Failure, FailureCode, OutputId, Phase, ProjectId, State,
};
use jiff::Timestamp;
use rusqlite::Row;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::CatalogError;

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

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub created: Timestamp,
    /// When its build was last started.
    pub started: Option<Timestamp>,
    /// When it came to its end.
    pub finished: Option<Timestamp>,
    /// How many files it has.
    pub files: Option<u64>,
    /// How large they are together, in bytes.
    pub bytes: Option<u64>,
    /// Why it is not ready.
    pub failure: Option<Failure>,
    /// Whether the project's own host leads to it.
    pub production: bool,
}

impl Deployment {
    /// What the builder is told.
    pub fn spec(&self) -> BuildSpec {
        let upload = |kind| Source::Upload { kind, origin: self.origin.clone() };
        BuildSpec {
            project: self.project.clone(),
            deployment: Some(self.id.clone()),
            attempt: Some(self.attempt),
            source: match self.source {
                SourceKind::Git => Source::Git {
                    repository: self.origin.repository.clone().unwrap_or_default(),
                    reference: self.origin.reference.clone(),
                },
                SourceKind::Source => upload(UploadKind::Source),
                SourceKind::Prebuilt => upload(UploadKind::Prebuilt),
            },
            settings: self.settings.clone(),
        }
    }

    /// What its objects and events are filed under.
    pub fn output(&self) -> OutputId {
        self.id.clone().into()
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

/// The columns that [`read`] needs, of the deployments `d` and the projects `p`.
pub(super) const SELECT: &str = "select d.*, p.production is d.id as is_production \
     from deployments d join projects p on p.id = d.project";

/// The deployment in a row of [`SELECT`].
pub(super) fn read(row: &Row<'_>) -> Result<Deployment, CatalogError> {
    let failure = match row.get::<_, Option<String>>("failure_code")? {
        None => None,
        Some(code) => Some(Failure {
            code: from_name::<FailureCode>(code)?,
            cause: row.get("failure_cause")?,
            fix: row.get("failure_fix")?,
        }),
    };
    Ok(Deployment {
        id: from_name(row.get("id")?)?,
        project: from_name(row.get("project")?)?,
        state: from_name(row.get("state")?)?,
        phase: row.get::<_, Option<String>>("phase")?.map(from_name).transpose()?,
        target: from_name(row.get("target")?)?,
        attempt: Attempt(number(row.get("attempt")?)?),
        cancel_requested: row.get("cancel_requested")?,
        source: from_name(row.get("source")?)?,
        origin: Origin {
            repository: row.get("repository")?,
            reference: row.get("reference")?,
            commit: row.get("commit_id")?,
            message: row.get("message")?,
        },
        settings: BuildSettings {
            root: row.get("root")?,
            install: row.get("install")?,
            command: row.get("command")?,
            output: row.get("output")?,
        },
        created: time(row.get("created")?)?,
        started: row.get::<_, Option<i64>>("started")?.map(time).transpose()?,
        finished: row.get::<_, Option<i64>>("finished")?.map(time).transpose()?,
        files: row.get::<_, Option<i64>>("files")?.map(number).transpose()?,
        bytes: row.get::<_, Option<i64>>("bytes")?.map(number).transpose()?,
        failure,
        production: row.get("is_production")?,
    })
}

/// The text under which a value of a closed set, or an id, is stored.
pub(super) fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        other => unreachable!("only values whose JSON is a text have names, not {other:?}"),
    }
}

/// The value whose [`name`] this is.
pub(super) fn from_name<T: DeserializeOwned>(text: String) -> Result<T, CatalogError> {
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|error| CatalogError::Record(error.to_string()))
}

/// SQLite has signed numbers only; a count that does not fit is as good as the largest that does.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(stored: i64) -> Result<u64, CatalogError> {
    u64::try_from(stored).map_err(|_| CatalogError::Record(format!("{stored} counts nothing")))
}

fn time(milliseconds: i64) -> Result<Timestamp, CatalogError> {
    Timestamp::from_millisecond(milliseconds).map_err(|error| CatalogError::Record(error.to_string()))
}
