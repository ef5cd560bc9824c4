//! The catalog: what is known of projects and deployments, in SQLite with one writer.
//!
//! Every change of a state is a compare-and-swap: of several that start from the same state one wins, and a
//! final state never changes.

mod lists;
mod record;
mod sessions;
mod transitions;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use rusqlite_migration::{M, MigrationDefinitionError, Migrations};

pub use lists::{Filter, Page, Project};
pub use record::{Deployment, NewDeployment, SourceKind, Target};
pub use transitions::{Cancellation, Ending, Finished};

/// How long a reader of another process, such as a backup, may hold up a write.
const BUSY: Duration = Duration::from_secs(5);

/// Later migrations are appended; one that was released never changes.
const MIGRATIONS: &[M<'_>] = &[M::up(include_str!("../../migrations/0001_projects_and_deployments.sql"))];

/// Why the catalog did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The catalog was written by a later version.
    #[error(
        "the catalog was written by a later version of GitDeploy: use that version, or another data directory"
    )]
    TooNew,
    /// The tables cannot be brought to what this version needs.
    #[error("the catalog cannot be brought up to date")]
    Migration(#[source] rusqlite_migration::Error),
    /// A record is none that this version can have written.
    #[error("the catalog holds a record that makes no sense: {0}")]
    Record(String),
    /// The database failed.
    #[error("the catalog is unavailable")]
    Unavailable(#[from] rusqlite::Error),
}

impl CatalogError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        let Self::Unavailable(error) = self else {
            return false;
        };
        match error.sqlite_error_code() {
            Some(code) => !matches!(
                code,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation
            ),
            None => false,
        }
    }
}

/// The records of projects and deployments. Clones share them.
#[derive(Debug, Clone)]
pub struct Catalog {
    connection: Arc<Mutex<Connection>>,
}

impl Catalog {
    /// Opens the catalog in this file, which is made if it is not there, and brings it up to date.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        Self::prepare(Connection::open(path)?)
    }

    /// An empty catalog that ends with the process.
    pub fn memory() -> Result<Self, CatalogError> {
        Self::prepare(Connection::open_in_memory()?)
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
        drop(Catalog::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
        assert!(matches!(Catalog::open(&path), Err(CatalogError::TooNew)));
    }

    #[test]
    fn a_file_that_is_no_catalog_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalog.sqlite3");
        std::fs::write(&path, "not a database, but long enough to be mistaken for one".repeat(100)).unwrap();
        assert!(matches!(Catalog::open(&path), Err(CatalogError::Unavailable(_))));
    }
}
