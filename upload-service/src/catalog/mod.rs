//! The catalog: what is known of projects and deployments, in SQLite with one writer, or in DynamoDB for
//! several replicas of the service.
//!
//! Every change of a state is a compare-and-swap: of several that start from the same state one wins, and a
//! final state never changes. What a change does to a record is the same in both (`steps`); they differ in
//! how the record is read and written.

mod access;
mod changes;
mod config;
mod dynamodb;
mod error;
mod lists;
mod record;
mod sqlite;
mod steps;

use std::path::Path;
use std::sync::Arc;

pub use changes::{Cancellation, Ending, Finished, Promotion};
pub use config::{CatalogConfig, DynamoDbAccess};
use dynamodb::DynamoDb;
pub use dynamodb::Reason;
pub use error::CatalogError;
pub use lists::{Filter, Page, Project};
pub use record::{Deployment, NewDeployment, SourceKind, Target};
use sqlite::Sqlite;

/// The records of projects and deployments. Clones share them.
#[derive(Debug, Clone)]
pub struct Catalog {
    backend: Backend,
    /// Who promises to look after builds: this process, by a name that nobody else has.
    holder: Arc<str>,
}

#[derive(Debug, Clone)]
enum Backend {
    Sqlite(Sqlite),
    DynamoDb(DynamoDb),
}

impl Catalog {
    /// Opens the catalog in this file, which is made if it is not there, and brings it up to date. One
    /// process holds the file: all leases in it are void, as whoever gave them is gone.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        Ok(Self::of(Backend::Sqlite(Sqlite::open(path)?)))
    }

    /// An empty catalog that ends with the process.
    pub fn memory() -> Result<Self, CatalogError> {
        Ok(Self::of(Backend::Sqlite(Sqlite::memory()?)))
    }

    /// The catalog in the table of DynamoDB that the settings name; absent: they name none.
    pub async fn dynamodb(config: &CatalogConfig) -> Option<Self> {
        let table = config.table.as_deref()?;
        Some(Self::of(Backend::DynamoDb(Box::pin(DynamoDb::open(table, config)).await)))
    }

    fn of(backend: Backend) -> Self {
        Self { backend, holder: crate::access::secret().into() }
    }

    /// Whether other processes write to it too.
    pub fn is_shared(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(_) => false,
            Backend::DynamoDb(_) => true,
        }
    }

    /// The catalog as a person would name it.
    pub fn describe(&self) -> String {
        match &self.backend {
            Backend::Sqlite(_) => "SQLite".to_owned(),
            Backend::DynamoDb(dynamodb) => dynamodb.describe(),
        }
    }

    /// Whether the catalog can be reached.
    pub async fn check(&self) -> Result<(), CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.check().await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.check()).await,
        }
    }
}
