//! Changes of deployments.

use std::sync::Arc;

use gitdeploy_core::{DeploymentId, State};
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior, params};

use super::{Sqlite, row};
use crate::catalog::changes::Changed;
use crate::catalog::{CatalogError, Deployment, Promotion};

impl Sqlite {
    pub(in crate::catalog) async fn create(
        &self,
        deployment: Deployment,
    ) -> Result<Deployment, CatalogError> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "insert into projects (id, created) values (?1, ?2) on conflict do nothing",
                params![deployment.project.as_str(), deployment.created.as_millisecond()],
            )?;
            row::insert(&transaction, &deployment).map_err(|error| match error {
                CatalogError::Unavailable(error)
                    if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) =>
                {
                    CatalogError::Exists(deployment.id.clone())
                }
                other => other,
            })?;
            transaction.commit()?;
            Ok(deployment)
        })
        .await
    }

    pub(in crate::catalog) async fn claim_oldest(
        &self,
        now: Timestamp,
        lease: Timestamp,
        holder: Arc<str>,
    ) -> Result<Option<Deployment>, CatalogError> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let oldest: Option<String> = transaction
                .query_row(
                    "select id from deployments q where state = 'queued' and not exists ( \
                       select 1 from deployments r where r.project = q.project \
                       and r.state in ('starting', 'building', 'publishing')) \
                     order by id limit 1",
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(id) = oldest else {
                return Ok(None);
            };
            let changed = step(&transaction, &id, |deployment| deployment.claim(now, lease, &holder))?;
            transaction.commit()?;
            Ok(changed.map(|changed| changed.deployment))
        })
        .await
    }

    pub(in crate::catalog) async fn promote(&self, id: &DeploymentId) -> Result<Promotion, CatalogError> {
        let id = id.clone();
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let promotion = match row::get(&transaction, id.as_str())? {
                Some(deployment) if deployment.production => Promotion::Already,
                Some(deployment) if deployment.state == State::Ready => {
                    transaction.execute(
                        "update projects set production = ?2, newest = max(coalesce(newest, ?2), ?2) where id = ?1",
                        params![deployment.project.as_str(), id.as_str()],
                    )?;
                    Promotion::Promoted
                }
                _ => Promotion::NotReady,
            };
            transaction.commit()?;
            Ok(promotion)
        })
        .await
    }

    pub(in crate::catalog) async fn change<T: Send + 'static>(
        &self,
        id: &DeploymentId,
        change: impl Fn(&mut Deployment) -> T + Send + 'static,
    ) -> Result<Option<Changed<T>>, CatalogError> {
        let id = id.clone();
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let changed = step(&transaction, id.as_str(), change)?;
            transaction.commit()?;
            Ok(changed)
        })
        .await
    }
}

/// Takes one step, within a transaction.
fn step<T>(
    transaction: &Connection,
    id: &str,
    change: impl Fn(&mut Deployment) -> T,
) -> Result<Option<Changed<T>>, CatalogError> {
    let Some(before) = row::get(transaction, id)? else {
        return Ok(None);
    };
    let mut deployment = before.clone();
    let said = change(&mut deployment);
    if deployment != before {
        row::update(transaction, &deployment)?;
    }
    let promoted = deployment.wants_promotion(&before) && promote(transaction, &deployment)?;
    deployment.production |= promoted;
    Ok(Some(Changed { said, deployment, promoted }))
}

/// Makes it the production of its project, unless a newer one is or was. Ids sort by time.
fn promote(transaction: &Connection, deployment: &Deployment) -> Result<bool, CatalogError> {
    let changed = transaction.execute(
        "update projects set production = ?2, newest = ?2 where id = ?1 and (newest is null or newest < ?2)",
        params![deployment.project.as_str(), deployment.id.as_str()],
    )?;
    Ok(changed == 1)
}
