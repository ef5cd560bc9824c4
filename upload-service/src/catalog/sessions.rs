//! Sessions of the pages. Only hashes are kept: who reads the catalog cannot use them.

use gitdeploy_core::hash::Sha256;
use jiff::Timestamp;
use rusqlite::params;

use super::{Catalog, CatalogError};

impl Catalog {
    /// Adds a session, and forgets those that are over.
    pub(crate) async fn add_session(
        &self,
        hash: Sha256,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), CatalogError> {
        self.run(move |connection| {
            connection.execute("delete from sessions where expires <= ?1", [now.as_millisecond()])?;
            connection.execute(
                "insert into sessions (hash, expires) values (?1, ?2)",
                params![hash.to_string(), expires.as_millisecond()],
            )?;
            Ok(())
        })
        .await
    }

    /// Whether there is such a session.
    pub(crate) async fn has_session(&self, hash: Sha256, now: Timestamp) -> Result<bool, CatalogError> {
        self.run(move |connection| {
            let sql = "select exists (select 1 from sessions where hash = ?1 and expires > ?2)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row(params![hash.to_string(), now.as_millisecond()], |row| row.get(0))?)
        })
        .await
    }

    /// Ends a session.
    pub(crate) async fn end_session(&self, hash: Sha256) -> Result<(), CatalogError> {
        self.run(move |connection| {
            connection.execute("delete from sessions where hash = ?1", [hash.to_string()])?;
            Ok(())
        })
        .await
    }
}
