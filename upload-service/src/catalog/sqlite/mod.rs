//! The catalog in a file of SQLite, which one process holds.

mod access;
mod changes;
mod lists;
mod row;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite_migration::{M, MigrationDefinitionError, Migrations};

use super::CatalogError;

/// How long a reader of another process, such as a backup, may hold up a write.
const BUSY: Duration = Duration::from_secs(5);

/// Later migrations are appended; one that was released never changes.
const MIGRATIONS: &[M<'_>] = &[
    M::up(include_str!("../../../migrations/0001_projects_and_deployments.sql")),
    M::up(include_str!("../../../migrations/0002_several_replicas.sql")),
    M::up(include_str!("../../../migrations/0003_hints_and_node.sql")),
];

#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, CatalogError> {
        Self::prepare(Connection::open(path)?)
    }

    pub(super) fn memory() -> Result<Self, CatalogError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    pub(super) async fn check(&self) -> Result<(), CatalogError> {
        self.run(|connection| Ok(connection.query_row("select 1", [], |_| Ok(()))?)).await
    }

    fn prepare(mut connection: Connection) -> Result<Self, CatalogError> {
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // A deployment that was accepted is not forgotten when the power fails.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Migrations::from_slice(MIGRATIONS).to_latest(&mut connection).map_err(|error| match error {
            rusqlite_migration::Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
                CatalogError::TooNew
            }
            other => CatalogError::Migration(other),
        })?;
        connection.execute("update deployments set lease = null where lease is not null", [])?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` on the connection, where it may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, CatalogError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        let connection = self.connection.clone();
        let work = move || work(&mut connection.lock().expect("no panic while locked"));
        tokio::task::spawn_blocking(work).await.expect("the work does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_make_sense() {
        Migrations::from_slice(MIGRATIONS).validate().unwrap();
    }

    #[test]
    fn a_catalog_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalog.sqlite3");
        drop(Sqlite::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
        assert!(matches!(Sqlite::open(&path), Err(CatalogError::TooNew)));
    }

    #[test]
    fn a_file_that_is_no_catalog_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalog.sqlite3");
        std::fs::write(&path, "not a database, but long enough to be mistaken for one".repeat(100)).unwrap();
        assert!(matches!(Sqlite::open(&path), Err(CatalogError::Unavailable(_))));
    }

    #[test]
    fn a_catalog_of_the_first_version_is_brought_up_to_date() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalog.sqlite3");
        let mut connection = Connection::open(&path).unwrap();
        Migrations::from_slice(&MIGRATIONS[..1]).to_latest(&mut connection).unwrap();
        connection
            .execute_batch(
                "insert into projects (id, created) values ('blog', 0); \
                 insert into deployments (id, project, state, target, attempt, source, created) \
                 values ('06gzr1vtp7njn36zcgxy', 'blog', 'building', 'production', 1, 'git', 0)",
            )
            .unwrap();
        drop(connection);
        let catalog = Sqlite::open(&path).unwrap();
        let deployment =
            row::get(&catalog.connection.lock().unwrap(), "06gzr1vtp7njn36zcgxy").unwrap().unwrap();
        assert_eq!((deployment.lease, deployment.task, deployment.session), (None, None, None));
    }
}
