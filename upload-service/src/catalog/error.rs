//! How asking the catalog fails.

use gitdeploy_core::DeploymentId;
use rusqlite::ErrorCode;

use super::dynamodb::Reason;

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
    /// There is a deployment with this id already.
    #[error("there is a deployment `{0}` already")]
    Exists(DeploymentId),
    /// There is no such table in DynamoDB.
    #[error("there is no table `{0}` in DynamoDB: make it or correct `GITDEPLOY_CATALOG_TABLE`")]
    NoTable(String),
    /// DynamoDB refuses; trying again does not help.
    #[error("the catalog's table `{table}` refuses")]
    Denied {
        /// The table.
        table: String,
        /// What DynamoDB said.
        #[source]
        source: Reason,
    },
    /// DynamoDB cannot be reached or failed; trying again may help.
    #[error("the catalog's table `{table}` is unavailable")]
    Unreachable {
        /// The table.
        table: String,
        /// What went wrong.
        #[source]
        source: Reason,
    },
    /// SQLite failed.
    #[error("the catalog is unavailable")]
    Unavailable(#[from] rusqlite::Error),
}

impl CatalogError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(error) => error.sqlite_error_code().is_some_and(|code| {
                !matches!(
                    code,
                    ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation
                )
            }),
            Self::Unreachable { .. } => true,
            _ => false,
        }
    }
}
