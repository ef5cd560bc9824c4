//! Sessions, one-time codes and sealed secrets.

use gitdeploy_core::hash::Sha256;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, TransactionBehavior, params};

use super::Sqlite;
use crate::catalog::CatalogError;

impl Sqlite {
    pub(in crate::catalog) async fn add_session(
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

    pub(in crate::catalog) async fn has_session(
        &self,
        hash: Sha256,
        now: Timestamp,
    ) -> Result<bool, CatalogError> {
        self.run(move |connection| {
            let sql = "select exists (select 1 from sessions where hash = ?1 and expires > ?2)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row(params![hash.to_string(), now.as_millisecond()], |row| row.get(0))?)
        })
        .await
    }

    pub(in crate::catalog) async fn end_session(&self, hash: Sha256) -> Result<(), CatalogError> {
        self.run(move |connection| {
            connection.execute("delete from sessions where hash = ?1", [hash.to_string()])?;
            Ok(())
        })
        .await
    }

    pub(in crate::catalog) async fn add_code(
        &self,
        hash: Sha256,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), CatalogError> {
        self.run(move |connection| {
            connection.execute("delete from codes where expires <= ?1", [now.as_millisecond()])?;
            connection.execute(
                "insert into codes (hash, expires) values (?1, ?2)",
                params![hash.to_string(), expires.as_millisecond()],
            )?;
            Ok(())
        })
        .await
    }

    pub(in crate::catalog) async fn use_code(
        &self,
        hash: Sha256,
        now: Timestamp,
    ) -> Result<bool, CatalogError> {
        self.run(move |connection| {
            let used = connection.execute(
                "delete from codes where hash = ?1 and expires > ?2",
                params![hash.to_string(), now.as_millisecond()],
            )?;
            Ok(used == 1)
        })
        .await
    }

    pub(in crate::catalog) async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, CatalogError> {
        let name = name.to_owned();
        self.run(move |connection| {
            let mut statement = connection.prepare_cached("select sealed from secrets where name = ?1")?;
            Ok(statement.query_row([name], |row| row.get(0)).optional()?)
        })
        .await
    }

    pub(in crate::catalog) async fn keep_secret(
        &self,
        name: &str,
        sealed: Vec<u8>,
    ) -> Result<Vec<u8>, CatalogError> {
        let name = name.to_owned();
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "insert into secrets (name, sealed) values (?1, ?2) on conflict do nothing",
                params![name, sealed],
            )?;
            let kept =
                transaction
                    .query_row("select sealed from secrets where name = ?1", [name], |row| row.get(0))?;
            transaction.commit()?;
            Ok(kept)
        })
        .await
    }
}
