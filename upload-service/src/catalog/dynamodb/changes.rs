//! Changes of deployments. Each reads the record, takes the step, and writes all that follows from it in one
//! transaction on the condition that the record is still the one that was read.

use std::collections::HashSet;

use gitdeploy_core::{DeploymentId, ProjectId, State};
use jiff::Timestamp;

use super::item::{self, BUILDING, DEPLOYMENT, Item, PROJECT, QUEUED};
use super::read::Range;
use super::write::{Writes, Wrote};
use super::{DynamoDb, TRIES, failure, pause, unique};
use crate::catalog::changes::Changed;
use crate::catalog::{CatalogError, Deployment, Promotion};

/// How often a write is tried again of which nobody knows whether it was written.
const UNANSWERED: u32 = 2;

impl DynamoDb {
    pub(in crate::catalog) async fn create(
        &self,
        deployment: Deployment,
    ) -> Result<Deployment, CatalogError> {
        let (id, project) = (deployment.id.as_str(), &deployment.project);
        let revision = unique();
        let mut unanswered = 0;
        for tries in 0..TRIES {
            let mut writes = Writes::default();
            writes.add(&self.table, item::write(&deployment, &revision)?);
            writes.add(&self.table, item::key(&item::of_project(project), id));
            writes.add(&self.table, queued(&deployment));
            if self.item(PROJECT, project.as_str()).await?.is_none() {
                writes.add(&self.table, item::key(PROJECT, project.as_str()));
            }
            match self.transact(writes, &unique()).await {
                Ok(Wrote::All) => return Ok(deployment),
                Ok(Wrote::Nothing { .. }) => {}
                Err(error) if error.is_transient() && unanswered < UNANSWERED => unanswered += 1,
                Err(error) => return Err(error),
            }
            match self.item(DEPLOYMENT, id).await? {
                None => pause(tries).await,
                // Written by us, and the answer was lost.
                Some(there) if item::read_text(&there, "revision")? == revision => return Ok(deployment),
                Some(_) => return Err(CatalogError::Exists(deployment.id)),
            }
        }
        Err(failure::busy(&self.table))
    }

    /// Whoever loses a deployment to somebody else goes on with the next: the project of the lost one is busy.
    pub(in crate::catalog) async fn claim_oldest(
        &self,
        now: Timestamp,
        lease: Timestamp,
        holder: &str,
    ) -> Result<Option<Deployment>, CatalogError> {
        let waiting = self.query(QUEUED, &Range::default()).await?;
        let mut busy = HashSet::new();
        for slot in self.query(BUILDING, &Range::default()).await? {
            busy.extend(item::read_id::<ProjectId>(&slot, "sk")?);
        }
        for entry in waiting {
            let Some(id) = item::read_id::<DeploymentId>(&entry, "sk")? else { continue };
            let Some(project) = item::read_id::<ProjectId>(&entry, "project")? else { continue };
            if busy.contains(&project) {
                continue;
            }
            let claim = |deployment: &mut Deployment| deployment.claim(now, lease, holder);
            let changed = match self.change(&id, claim).await {
                Ok(changed) => changed,
                // One that a later version has written waits for that version, and holds up nobody else.
                Err(CatalogError::Record(reason)) => {
                    tracing::error!(deployment.id = %id, reason, "a record makes no sense");
                    continue;
                }
                Err(error) => return Err(error),
            };
            match changed {
                Some(Changed { said: true, deployment, .. }) => return Ok(Some(deployment)),
                Some(Changed { deployment, .. }) if deployment.state.is_final() => {}
                _ => {
                    busy.insert(project);
                }
            }
        }
        Ok(None)
    }

    /// Takes a step. Absent: there is no such deployment, or another build of its project runs.
    pub(in crate::catalog) async fn change<T>(
        &self,
        id: &DeploymentId,
        step: impl Fn(&mut Deployment) -> T,
    ) -> Result<Option<Changed<T>>, CatalogError> {
        let mut tried: Vec<(String, Changed<T>)> = Vec::new();
        let mut unanswered = 0;
        for tries in 0..TRIES {
            let Some(found) = self.item(DEPLOYMENT, id.as_str()).await? else {
                return Ok(None);
            };
            let revision = item::read_text(&found, "revision")?;
            // Written by us, and the answer was lost.
            if let Some(place) = tried.iter().position(|(ours, _)| ours == revision) {
                return Ok(Some(tried.swap_remove(place).1));
            }
            let before = item::read(&found)?;
            let mut deployment = before.clone();
            let said = step(&mut deployment);
            if deployment == before {
                deployment.production = self.is_production(&deployment).await?;
                return Ok(Some(Changed { said, deployment, promoted: false }));
            }
            let promoted = deployment.wants_promotion(&before)
                && self
                    .newest_promoted(&deployment.project)
                    .await?
                    .is_none_or(|newest| newest < deployment.id);
            deployment.production = promoted;
            let ours = unique();
            let mut writes = Writes::default();
            writes.replace(&self.table, item::write(&deployment, &ours)?, revision);
            let slot = self.follow(&mut writes, &before, &deployment);
            if promoted {
                let project = item::key(PROJECT, deployment.project.as_str());
                writes.promote_newest(&self.table, project, item::text(deployment.id.as_str()));
            }
            let changed = Changed { said, deployment, promoted };
            match self.transact(writes, &ours).await {
                Ok(Wrote::All) => return Ok(Some(changed)),
                // The slot is taken although the record is as it was: another build of the project runs.
                Ok(Wrote::Nothing { refused }) if slot_is_taken(&refused, slot) => return Ok(None),
                Ok(Wrote::Nothing { .. }) => {}
                Err(error) if error.is_transient() && unanswered < UNANSWERED => unanswered += 1,
                Err(error) => return Err(error),
            }
            tried.push((ours, changed));
            pause(tries).await;
        }
        Err(failure::busy(&self.table))
    }

    pub(in crate::catalog) async fn promote(&self, id: &DeploymentId) -> Result<Promotion, CatalogError> {
        for tries in 0..TRIES {
            let Some(found) = self.item(DEPLOYMENT, id.as_str()).await? else {
                return Ok(Promotion::NotReady);
            };
            let deployment = item::read(&found)?;
            if deployment.state != State::Ready {
                return Ok(Promotion::NotReady);
            }
            if self.is_production(&deployment).await? {
                return Ok(if tries == 0 { Promotion::Already } else { Promotion::Promoted });
            }
            let project = item::key(PROJECT, deployment.project.as_str());
            let mut writes = Writes::default();
            match self.newest_promoted(&deployment.project).await? {
                Some(newest) if newest >= *id => {
                    writes.promote_older(&self.table, project, item::text(id.as_str()));
                }
                _ => writes.promote_newest(&self.table, project, item::text(id.as_str())),
            }
            match self.transact(writes, &unique()).await {
                Ok(Wrote::All) => return Ok(Promotion::Promoted),
                Ok(Wrote::Nothing { .. }) => pause(tries).await,
                Err(error) if error.is_transient() && tries + 1 < TRIES => pause(tries).await,
                Err(error) => return Err(error),
            }
        }
        Err(failure::busy(&self.table))
    }

    /// Adds what the scheduler finds a deployment by, and removes what it found it by before. Returns the
    /// place of the write that takes the project's slot.
    fn follow(&self, writes: &mut Writes, before: &Deployment, after: &Deployment) -> Option<usize> {
        let waits = |deployment: &Deployment| deployment.state == State::Queued;
        let slot = item::key(BUILDING, after.project.as_str());
        if waits(before) && !waits(after) {
            writes.remove(&self.table, item::key(QUEUED, after.id.as_str()));
        } else if waits(after) && !waits(before) {
            writes.add(&self.table, queued(after));
        }
        if before.runs() && !after.runs() {
            writes.remove(&self.table, slot);
        } else if after.runs() && !before.runs() {
            let place = writes.len();
            let mut taken = slot;
            taken.insert("deployment".to_owned(), item::text(after.id.as_str()));
            writes.add(&self.table, taken);
            return Some(place);
        }
        None
    }
}

/// That a deployment waits.
fn queued(deployment: &Deployment) -> Item {
    let mut item = item::key(QUEUED, deployment.id.as_str());
    item.insert("project".to_owned(), item::text(deployment.project.as_str()));
    item
}

fn slot_is_taken(refused: &[bool], slot: Option<usize>) -> bool {
    let record_is_as_it_was = refused.first() == Some(&false);
    record_is_as_it_was && slot.and_then(|place| refused.get(place)) == Some(&true)
}
