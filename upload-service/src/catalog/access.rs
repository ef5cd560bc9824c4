//! Sessions of the pages, one-time codes and sealed secrets. Of sessions and codes only hashes are kept: who
//! reads the catalog cannot use them.

use gitdeploy_core::hash::Sha256;
use jiff::Timestamp;

use super::{Backend, Catalog, CatalogError};

impl Catalog {
    /// Adds a session.
    pub async fn add_session(
        &self,
        hash: Sha256,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.add_session(hash, now, expires).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.add_session(hash, expires)).await,
        }
    }

    /// Whether there is such a session and it is not over.
    pub async fn has_session(&self, hash: Sha256, now: Timestamp) -> Result<bool, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.has_session(hash, now).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.has_session(hash, now)).await,
        }
    }

    /// Ends a session.
    pub async fn end_session(&self, hash: Sha256) -> Result<(), CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.end_session(hash).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.end_session(hash)).await,
        }
    }

    /// Adds a code that can be used once, before it expires.
    pub async fn add_code(
        &self,
        hash: Sha256,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.add_code(hash, now, expires).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.add_code(hash, expires)).await,
        }
    }

    /// Uses a code. Of several who try one succeeds, and nobody after the code has expired.
    pub async fn use_code(&self, hash: Sha256, now: Timestamp) -> Result<bool, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.use_code(hash, now).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.use_code(hash, now)).await,
        }
    }

    /// The sealed secret of this name. What is in it the catalog does not know.
    pub async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.secret(name).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.secret(name)).await,
        }
    }

    /// Keeps a sealed secret, unless there is one of this name. Returns the one that is kept.
    pub async fn keep_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>, CatalogError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.keep_secret(name, sealed).await,
            Backend::DynamoDb(dynamodb) => Box::pin(dynamodb.keep_secret(name, sealed)).await,
        }
    }
}
