//! What is asked of the catalog.

use gitdeploy_core::{DeploymentId, ProjectId, State};
use rusqlite::{OptionalExtension as _, params};

use super::record::{Deployment, SELECT, from_name, read, stored};
use super::{Catalog, CatalogError};

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

impl Catalog {
    /// The deployment with this id.
    pub async fn get(&self, id: &DeploymentId) -> Result<Option<Deployment>, CatalogError> {
        let id = id.clone();
        self.run(move |connection| {
            let sql = format!("{SELECT} where d.id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([id.as_str()])?;
            rows.next()?.map(read).transpose()
        })
        .await
    }

    /// The deployments whose ids start with `prefix`: none, one, or two where there are more.
    pub async fn with_prefix(&self, prefix: &str) -> Result<Vec<Deployment>, CatalogError> {
        let prefix = prefix.to_owned();
        self.run(move |connection| {
            // `~` sorts after every character of an id.
            let sql = format!("{SELECT} where d.id >= ?1 and d.id < ?1 || '~' order by d.id limit 2");
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_and_then([prefix], read)?.collect()
        })
        .await
    }

    /// A part of the list of deployments.
    pub async fn list(&self, filter: Filter) -> Result<Page, CatalogError> {
        self.run(move |connection| {
            let sql = format!(
                "{SELECT} where (?1 is null or d.project = ?1) and (?2 is null or d.state = ?2) \
                 and (?3 is null or d.id < ?3) order by d.id desc limit ?4"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let items = statement.query_and_then(
                params![
                    filter.project.as_ref().map(ProjectId::as_str),
                    filter.state.map(State::as_str),
                    filter.after.as_ref().map(DeploymentId::as_str),
                    stored(u64::from(filter.limit) + 1),
                ],
                read,
            )?;
            let mut items = items.collect::<Result<Vec<_>, _>>()?;
            let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
            let more = items.len() > limit;
            items.truncate(limit);
            let next = items.last().filter(|_| more).map(|last| last.id.clone());
            Ok(Page { items, next })
        })
        .await
    }

    /// The deployments whose builds run, the oldest first.
    pub async fn running(&self) -> Result<Vec<Deployment>, CatalogError> {
        self.run(|connection| {
            let sql =
                format!("{SELECT} where d.state in ('starting', 'building', 'publishing') order by d.id");
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_and_then([], read)?.collect()
        })
        .await
    }

    /// All projects by name.
    pub async fn projects(&self) -> Result<Vec<Project>, CatalogError> {
        self.run(|connection| {
            let mut statement =
                connection.prepare_cached("select id, production from projects order by id")?;
            let projects = statement.query_and_then([], |row| {
                let production: Option<String> = row.get("production")?;
                Ok(Project {
                    id: from_name(row.get("id")?)?,
                    production: production.map(from_name).transpose()?,
                })
            })?;
            projects.collect()
        })
        .await
    }

    /// The deployment that the project's own host leads to.
    pub async fn production(&self, project: &ProjectId) -> Result<Option<DeploymentId>, CatalogError> {
        let project = project.clone();
        self.run(move |connection| {
            let mut statement = connection.prepare_cached("select production from projects where id = ?1")?;
            let id: Option<Option<String>> =
                statement.query_row([project.as_str()], |row| row.get(0)).optional()?;
            id.flatten().map(from_name).transpose()
        })
        .await
    }

    /// When the newest deployment was made, in milliseconds since 1970.
    pub(crate) async fn newest(&self) -> Result<Option<i64>, CatalogError> {
        self.run(|connection| {
            Ok(connection.query_row("select max(created) from deployments", [], |row| row.get(0))?)
        })
        .await
    }
}
