//! Questions about deployments and projects.

use std::collections::{HashMap, HashSet};

use gitdeploy_core::{DeploymentId, ProjectId, State};

use super::DynamoDb;
use super::item::{self, BUILDING, DEPLOYMENT, Item, PROJECT};
use super::read::Range;
use crate::catalog::{CatalogError, Deployment, Filter, Page, Project};

/// How many of a project's deployments are looked at in one go when only some of them are wanted.
const AT_ONCE: usize = 100;

impl DynamoDb {
    pub(in crate::catalog) async fn get(
        &self,
        id: &DeploymentId,
    ) -> Result<Option<Deployment>, CatalogError> {
        let Some(found) = self.item(DEPLOYMENT, id.as_str()).await? else {
            return Ok(None);
        };
        let mut deployment = item::read(&found)?;
        deployment.production = self.is_production(&deployment).await?;
        Ok(Some(deployment))
    }

    pub(in crate::catalog) async fn with_prefix(
        &self,
        prefix: &str,
    ) -> Result<Vec<Deployment>, CatalogError> {
        let range = Range { prefix: Some(prefix), limit: 2, ..Range::default() };
        self.marked(&self.query(DEPLOYMENT, &range).await?).await
    }

    pub(in crate::catalog) async fn list(&self, filter: Filter) -> Result<Page, CatalogError> {
        let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX).saturating_add(1);
        let items = if let Some(project) = &filter.project {
            self.of_project(project, &filter, wanted).await?
        } else {
            let range = Range {
                below: filter.after.as_ref().map(DeploymentId::as_str),
                only: filter.state.map(|state| ("state", state.as_str())),
                backward: true,
                limit: wanted,
                ..Range::default()
            };
            self.query(DEPLOYMENT, &range).await?
        };
        Ok(Page::of(self.marked(&items).await?, filter.limit))
    }

    pub(in crate::catalog) async fn running(&self) -> Result<Vec<Deployment>, CatalogError> {
        let mut ids = Vec::new();
        for slot in self.query(BUILDING, &Range::default()).await? {
            ids.push(item::read_text(&slot, "deployment")?.to_owned());
        }
        let records = self.records(ids).await?;
        // One that a later version has written is that version's to look after.
        let sensible = records.iter().filter_map(|record| {
            item::read(record).inspect_err(|error| tracing::error!(%error, "a record is passed over")).ok()
        });
        let mut running: Vec<_> = sensible.collect();
        // Between the two questions some may have come to their end.
        running.retain(Deployment::runs);
        running.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(running)
    }

    pub(in crate::catalog) async fn projects(&self) -> Result<Vec<Project>, CatalogError> {
        let items = self.query(PROJECT, &Range::default()).await?;
        items.iter().map(project).collect()
    }

    pub(in crate::catalog) async fn production(
        &self,
        project: &ProjectId,
    ) -> Result<Option<DeploymentId>, CatalogError> {
        match self.item(PROJECT, project.as_str()).await? {
            Some(item) => item::read_id(&item, "production"),
            None => Ok(None),
        }
    }

    pub(in crate::catalog) async fn newest(&self) -> Result<Option<i64>, CatalogError> {
        let range = Range { backward: true, limit: 1, ..Range::default() };
        let newest = self.query(DEPLOYMENT, &range).await?;
        let newest = newest.first().map(item::read).transpose()?;
        Ok(newest.map(|deployment| deployment.created.as_millisecond()))
    }

    /// The newest deployment that was ever in production: after a rollback it is not the one that is.
    pub(super) async fn newest_promoted(
        &self,
        project: &ProjectId,
    ) -> Result<Option<DeploymentId>, CatalogError> {
        match self.item(PROJECT, project.as_str()).await? {
            Some(item) => item::read_id(&item, "newest"),
            None => Ok(None),
        }
    }

    pub(super) async fn is_production(&self, deployment: &Deployment) -> Result<bool, CatalogError> {
        if deployment.state != State::Ready {
            return Ok(false);
        }
        Ok(self.production(&deployment.project).await?.as_ref() == Some(&deployment.id))
    }

    /// The records of the newest deployments of a project that the filter lets through.
    async fn of_project(
        &self,
        project: &ProjectId,
        filter: &Filter,
        wanted: usize,
    ) -> Result<Vec<Item>, CatalogError> {
        let pk = item::of_project(project);
        let limit = if filter.state.is_some() { wanted.max(AT_ONCE) } else { wanted };
        let mut after = filter.after.as_ref().map(|id| id.as_str().to_owned());
        let mut found = Vec::new();
        loop {
            let range = Range { below: after.as_deref(), backward: true, limit, ..Range::default() };
            let mut ids = Vec::new();
            for entry in self.query(&pk, &range).await? {
                ids.push(item::read_text(&entry, "sk")?.to_owned());
            }
            let is_last = ids.len() < limit;
            after = ids.last().cloned();
            let mut records = self.records(ids).await?;
            if let Some(state) = filter.state {
                records
                    .retain(|record| item::read_text(record, "state").is_ok_and(|is| is == state.as_str()));
            }
            found.extend(records);
            if is_last || found.len() >= wanted {
                found.truncate(wanted);
                return Ok(found);
            }
        }
    }

    /// The records of these deployments, in this order.
    async fn records(&self, ids: Vec<String>) -> Result<Vec<Item>, CatalogError> {
        let keys = ids.iter().map(|id| item::key(DEPLOYMENT, id)).collect();
        let mut found = HashMap::new();
        for record in self.items(keys).await? {
            found.insert(item::read_text(&record, "sk")?.to_owned(), record);
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The deployments in these records, with whether each is in production.
    async fn marked(&self, records: &[Item]) -> Result<Vec<Deployment>, CatalogError> {
        let mut deployments = records.iter().map(item::read).collect::<Result<Vec<_>, _>>()?;
        let ready = deployments.iter().filter(|deployment| deployment.state == State::Ready);
        let projects: HashSet<_> = ready.map(|deployment| deployment.project.as_str()).collect();
        let keys = projects.into_iter().map(|project| item::key(PROJECT, project)).collect();
        let mut productions = HashSet::new();
        for item in self.items(keys).await? {
            productions.extend(project(&item)?.production);
        }
        for deployment in &mut deployments {
            deployment.production = deployment.state == State::Ready && productions.contains(&deployment.id);
        }
        Ok(deployments)
    }
}

fn project(item: &Item) -> Result<Project, CatalogError> {
    let id = item::read_id(item, "sk")?;
    let id = id.ok_or_else(|| CatalogError::Record("a project has no name".to_owned()))?;
    Ok(Project { id, production: item::read_id(item, "production")? })
}
