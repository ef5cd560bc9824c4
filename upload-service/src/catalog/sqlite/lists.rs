//! Questions about deployments and projects.

use gitdeploy_core::{DeploymentId, ProjectId, State};
use rusqlite::{OptionalExtension as _, params};

use super::Sqlite;
use super::row::{self, SELECT, from_name, read, stored};
use crate::catalog::{CatalogError, Deployment, Filter, Page, Project};

impl Sqlite {
    pub(in crate::catalog) async fn get(
        &self,
        id: &DeploymentId,
    ) -> Result<Option<Deployment>, CatalogError> {
        let id = id.clone();
        self.run(move |connection| row::get(connection, id.as_str())).await
    }

    pub(in crate::catalog) async fn with_prefix(
        &self,
        prefix: &str,
    ) -> Result<Vec<Deployment>, CatalogError> {
        let prefix = prefix.to_owned();
        self.run(move |connection| {
            // `~` sorts after every character of an id.
            let sql = format!("{SELECT} where d.id >= ?1 and d.id < ?1 || '~' order by d.id limit 2");
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_and_then([prefix], read)?.collect()
        })
        .await
    }

    pub(in crate::catalog) async fn list(&self, filter: Filter) -> Result<Page, CatalogError> {
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
            Ok(Page::of(items.collect::<Result<_, _>>()?, filter.limit))
        })
        .await
    }

    pub(in crate::catalog) async fn running(&self) -> Result<Vec<Deployment>, CatalogError> {
        self.run(|connection| {
            let sql =
                format!("{SELECT} where d.state in ('starting', 'building', 'publishing') order by d.id");
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_and_then([], read)?.collect()
        })
        .await
    }

    pub(in crate::catalog) async fn projects(&self) -> Result<Vec<Project>, CatalogError> {
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

    pub(in crate::catalog) async fn production(
        &self,
        project: &ProjectId,
    ) -> Result<Option<DeploymentId>, CatalogError> {
        let project = project.clone();
        self.run(move |connection| {
            let mut statement = connection.prepare_cached("select production from projects where id = ?1")?;
            let id: Option<Option<String>> =
                statement.query_row([project.as_str()], |row| row.get(0)).optional()?;
            id.flatten().map(from_name).transpose()
        })
        .await
    }

    pub(in crate::catalog) async fn newest(&self) -> Result<Option<i64>, CatalogError> {
        self.run(|connection| {
            Ok(connection.query_row("select max(created) from deployments", [], |row| row.get(0))?)
        })
        .await
    }
}
