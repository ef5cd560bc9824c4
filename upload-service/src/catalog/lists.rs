//! What is asked of the catalog.

use gitdeploy_core::{DeploymentId, ProjectId, State};

use super::record::Deployment;
use super::{Backend, Catalog, CatalogError};

/// Which deployments are listed, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this project.
    pub project: Option<ProjectId>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those older than this one.
    pub after: Option<DeploymentId>,
    /// At most this many.
    pub limit: u32,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The deployments, the newest first.
    pub items: Vec<Deployment>,
    /// What to ask for the next part with; absent: this was the last.
    pub next: Option<DeploymentId>,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub id: ProjectId,
    /// The deployment that its own host leads to.
    pub production: Option<DeploymentId>,
}

impl Page {
    /// The first `limit` of the deployments that were found, of which there is one more if more follow.
    pub(super) fn of(mut items: Vec<Deployment>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| last.id.clone());
        Self { items, next }
    }
}

impl Catalog {
    /// The deployment with this id.
    pub async fn get(&self, id: &DeploymentId) -> Result<Option<Deployment>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.get(id).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.get(id)).await,
        }
    }

    /// The deployments whose ids start with `prefix`: none, one, or two where there are more.
    pub async fn with_prefix(&self, prefix: &str) -> Result<Vec<Deployment>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.with_prefix(prefix).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.with_prefix(prefix)).await,
        }
    }

    /// A part of the list of deployments. Whoever asks for all parts gets every deployment that was there at
    /// the beginning, once.
    pub async fn list(&self, filter: Filter) -> Result<Page, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.list(filter).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.list(filter)).await,
        }
    }

    /// The deployments whose builds run, the oldest first.
    pub async fn running(&self) -> Result<Vec<Deployment>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.running().await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.running()).await,
        }
    }

    /// All projects by name.
    pub async fn projects(&self) -> Result<Vec<Project>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.projects().await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.projects()).await,
        }
    }

    /// The deployment that the project's own host leads to.
    pub async fn production(&self, project: &ProjectId) -> Result<Option<DeploymentId>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.production(project).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.production(project)).await,
        }
    }

    /// When the newest deployment was made, in milliseconds since 1970.
    pub(crate) async fn newest(&self) -> Result<Option<i64>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.newest().await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.newest()).await,
        }
    }
}
