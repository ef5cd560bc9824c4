//! Every change that a deployment goes through.

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::{Attempt, DeploymentId, Failure, Phase, ProjectId, State};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, named_params, params};

use super::record::{Deployment, NewDeployment, SELECT, Target, name, read, stored};
use super::{Catalog, CatalogError};

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The final state.
    pub state: State,
    /// The phase that ended it, if one did.
    pub phase: Option<Phase>,
    /// How many files it has.
    pub files: Option<u64>,
    /// How large they are together, in bytes.
    pub bytes: Option<u64>,
    /// Why it is not ready.
    pub failure: Option<Failure>,
    /// What the build found out about where the files come from.
    pub origin: Origin,
}

/// What came of [`Catalog::finish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The deployment had ended before, or belongs to a newer attempt: nothing has changed.
    Refused,
    /// It ended.
    Ended,
    /// It ended and is what the project's own host leads to now.
    Promoted,
}

/// What came of [`Catalog::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The deployment had ended before: nothing has changed.
    AlreadyFinal,
    /// It was still waiting, and is canceled.
    Canceled,
    /// Its build runs and has to be told.
    Requested,
}

impl Catalog {
    /// Adds a deployment, and its project if that is unknown.
    pub async fn create(&self, new: NewDeployment) -> Result<Deployment, CatalogError> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "insert into projects (id, created) values (?1, ?2) on conflict do nothing",
                params![new.project.as_str(), new.created.as_millisecond()],
            )?;
            transaction.execute(
                "insert into deployments (id, project, state, target, source, repository, reference, commit_id, \
                   message, root, install, command, output, created) \
                 values (:id, :project, 'queued', :target, :source, :repository, :reference, :commit_id, \
                   :message, :root, :install, :command, :output, :created)",
                named_params! {
                    ":id": new.id.as_str(),
                    ":project": new.project.as_str(),
                    ":target": name(&new.target),
                    ":source": name(&new.source),
                    ":repository": new.origin.repository,
                    ":reference": new.origin.reference,
                    ":commit_id": new.origin.commit,
                    ":message": new.origin.message,
                    ":root": new.settings.root,
                    ":install": new.settings.install,
                    ":command": new.settings.command,
                    ":output": new.settings.output,
                    ":created": new.created.as_millisecond(),
                },
            )?;
            let deployment = get(&transaction, &new.id)?;
            transaction.commit()?;
            Ok(deployment)
        })
        .await
    }

    /// Takes the oldest deployment that waits and whose project has no build running, and starts its next
    /// attempt.
    pub async fn claim_oldest(&self, now: Timestamp) -> Result<Option<Deployment>, CatalogError> {
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
            transaction.execute(
                "update deployments set state = 'starting', attempt = attempt + 1, started = ?2 where id = ?1",
                params![id, now.as_millisecond()],
            )?;
            let deployment = transaction
                .query_row_and_then(&format!("{SELECT} where d.id = ?1"), [id], read)?;
            transaction.commit()?;
            Ok(Some(deployment))
        })
        .await
    }

    /// Notes that the build is in `phase`. Says whether that was news: an older attempt, an earlier state
    /// and a deployment that has ended are passed over.
    pub async fn advance(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        phase: Phase,
    ) -> Result<bool, CatalogError> {
        let id = id.clone();
        self.run(move |connection| {
            let next = State::during(phase);
            let from = list(|state| state == next || state.may_become(next));
            let changed = connection.execute(
                &format!(
                    "update deployments set state = ?3, phase = ?4 \
                     where id = ?1 and attempt = ?2 and state in ({from})"
                ),
                params![id.as_str(), stored(attempt.0), name(&next), name(&phase)],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// Notes the commit that the running build has found.
    pub async fn learn_commit(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        commit: String,
    ) -> Result<(), CatalogError> {
        let id = id.clone();
        self.run(move |connection| {
            let open = list(|state| !state.is_final());
            connection.execute(
                &format!(
                    "update deployments set commit_id = ?3 where id = ?1 and attempt = ?2 and state in ({open})"
                ),
                params![id.as_str(), stored(attempt.0), commit],
            )?;
            Ok(())
        })
        .await
    }

    /// Ends a deployment. One that is ready and meant for production is promoted in the same step, unless
    /// a newer one is in production already.
    pub async fn finish(
        &self,
        id: &DeploymentId,
        attempt: Attempt,
        ending: Ending,
        now: Timestamp,
    ) -> Result<Finished, CatalogError> {
        let id = id.clone();
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let from = list(|state| state.may_become(ending.state));
            let changed = transaction.execute(
                &format!(
                    "update deployments set state = :state, finished = :finished, files = :files, bytes = :bytes, \
                       phase = case :state when 'ready' then null else coalesce(:phase, phase) end, \
                       failure_code = :code, failure_cause = :cause, failure_fix = :fix, \
                       repository = coalesce(repository, :repository), \
                       reference = coalesce(reference, :reference), \
                       commit_id = coalesce(:commit_id, commit_id), message = coalesce(:message, message) \
                     where id = :id and attempt = :attempt and state in ({from})"
                ),
                named_params! {
                    ":id": id.as_str(),
                    ":attempt": stored(attempt.0),
                    ":state": name(&ending.state),
                    ":finished": now.as_millisecond(),
                    ":files": ending.files.map(stored),
                    ":bytes": ending.bytes.map(stored),
                    ":phase": ending.phase.as_ref().map(name),
                    ":code": ending.failure.as_ref().map(|failure| failure.code.as_str()),
                    ":cause": ending.failure.as_ref().map(|failure| &failure.cause),
                    ":fix": ending.failure.as_ref().and_then(|failure| failure.fix.as_ref()),
                    ":repository": ending.origin.repository,
                    ":reference": ending.origin.reference,
                    ":commit_id": ending.origin.commit,
                    ":message": ending.origin.message,
                },
            )?;
            if changed == 0 {
                return Ok(Finished::Refused);
            }
            let deployment = get(&transaction, &id)?;
            let promoted = ending.state == State::Ready
                && deployment.target == Target::Production
                && promote(&transaction, &deployment.project, &id)?;
            transaction.commit()?;
            Ok(if promoted { Finished::Promoted } else { Finished::Ended })
        })
        .await
    }

    /// Cancels a deployment that waits, and notes the wish for one whose build runs.
    pub async fn cancel(
        &self,
        id: &DeploymentId,
        failure: Failure,
        now: Timestamp,
    ) -> Result<Cancellation, CatalogError> {
        let id = id.clone();
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let open = list(|state| !state.is_final());
            let requested = transaction.execute(
                &format!("update deployments set cancel_requested = 1 where id = ?1 and state in ({open})"),
                [id.as_str()],
            )?;
            let canceled = transaction.execute(
                "update deployments set state = 'canceled', finished = ?2, failure_code = ?3, \
                   failure_cause = ?4, failure_fix = ?5 where id = ?1 and state = 'queued'",
                params![id.as_str(), now.as_millisecond(), failure.code.as_str(), failure.cause, failure.fix],
            )?;
            transaction.commit()?;
            Ok(match (requested, canceled) {
                (0, _) => Cancellation::AlreadyFinal,
                (_, 0) => Cancellation::Requested,
                _ => Cancellation::Canceled,
            })
        })
        .await
    }
}

/// Makes `id` the production of its project, unless a newer one is. Ids sort by time.
fn promote(
    transaction: &Transaction<'_>,
    project: &ProjectId,
    id: &DeploymentId,
) -> Result<bool, CatalogError> {
    let changed = transaction.execute(
        "update projects set production = ?2 \
         where id = ?1 and (production is null or production < ?2)",
        params![project.as_str(), id.as_str()],
    )?;
    Ok(changed == 1)
}

fn get(transaction: &Transaction<'_>, id: &DeploymentId) -> Result<Deployment, CatalogError> {
    transaction.query_row_and_then(&format!("{SELECT} where d.id = ?1"), [id.as_str()], read)
}

/// The states that `wanted` holds for, as a list in SQL. Their names are fixed words.
fn list(wanted: impl Fn(State) -> bool) -> String {
    let names: Vec<_> =
        State::ALL.into_iter().filter(|state| wanted(*state)).map(|state| format!("'{state}'")).collect();
    names.join(", ")
}
