//! A deployment as a row.

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Attempt, Failure, FailureCode};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalog::{CatalogError, Deployment};

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
            hint: row.get("failure_hint")?,
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
            node: row.get("node")?,
            output: row.get("output")?,
        },
        created: time(row.get("created")?)?,
        started: row.get::<_, Option<i64>>("started")?.map(time).transpose()?,
        finished: row.get::<_, Option<i64>>("finished")?.map(time).transpose()?,
        files: row.get::<_, Option<i64>>("files")?.map(number).transpose()?,
        bytes: row.get::<_, Option<i64>>("bytes")?.map(number).transpose()?,
        failure,
        lease: row.get::<_, Option<i64>>("lease")?.map(time).transpose()?,
        holder: row.get("holder")?,
        task: row.get("task")?,
        session: row.get::<_, Option<String>>("session")?.map(from_name).transpose()?,
        production: row.get("is_production")?,
    })
}

/// The deployment with this id.
pub(super) fn get(connection: &Connection, id: &str) -> Result<Option<Deployment>, CatalogError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} where d.id = ?1"))?;
    statement.query_row([id], |row| Ok(read(row))).optional()?.transpose()
}

/// Adds a deployment, with what never changes about it.
pub(super) fn insert(connection: &Connection, deployment: &Deployment) -> Result<(), CatalogError> {
    let mut statement = connection.prepare_cached(
        "insert into deployments (id, project, state, target, source, root, install, command, node, output, created) \
         values (:id, :project, 'queued', :target, :source, :root, :install, :command, :node, :output, :created)",
    )?;
    statement.execute(named_params! {
        ":id": deployment.id.as_str(),
        ":project": deployment.project.as_str(),
        ":target": name(&deployment.target),
        ":source": name(&deployment.source),
        ":root": deployment.settings.root,
        ":install": deployment.settings.install,
        ":command": deployment.settings.command,
        ":node": deployment.settings.node,
        ":output": deployment.settings.output,
        ":created": deployment.created.as_millisecond(),
    })?;
    update(connection, deployment)
}

/// Writes what may change about a deployment.
pub(super) fn update(connection: &Connection, deployment: &Deployment) -> Result<(), CatalogError> {
    let mut statement = connection.prepare_cached(
        "update deployments set state = :state, phase = :phase, attempt = :attempt, \
           cancel_requested = :cancel_requested, repository = :repository, reference = :reference, \
           commit_id = :commit_id, message = :message, started = :started, finished = :finished, \
           files = :files, bytes = :bytes, failure_code = :code, failure_cause = :cause, failure_fix = :fix, \
           failure_hint = :hint, \
           lease = :lease, holder = :holder, task = :task, session = :session \
         where id = :id",
    )?;
    let failure = deployment.failure.as_ref();
    statement.execute(named_params! {
        ":id": deployment.id.as_str(),
        ":state": deployment.state.as_str(),
        ":phase": deployment.phase.as_ref().map(name),
        ":attempt": stored(deployment.attempt.0),
        ":cancel_requested": deployment.cancel_requested,
        ":repository": deployment.origin.repository,
        ":reference": deployment.origin.reference,
        ":commit_id": deployment.origin.commit,
        ":message": deployment.origin.message,
        ":started": deployment.started.map(Timestamp::as_millisecond),
        ":finished": deployment.finished.map(Timestamp::as_millisecond),
        ":files": deployment.files.map(stored),
        ":bytes": deployment.bytes.map(stored),
        ":code": failure.map(|failure| failure.code.as_str()),
        ":cause": failure.map(|failure| &failure.cause),
        ":fix": failure.and_then(|failure| failure.fix.as_ref()),
        ":hint": failure.and_then(|failure| failure.hint.as_ref()),
        ":lease": deployment.lease.map(Timestamp::as_millisecond),
        ":holder": deployment.holder,
        ":task": deployment.task,
        ":session": deployment.session.map(|session| session.to_string()),
    })?;
    Ok(())
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
