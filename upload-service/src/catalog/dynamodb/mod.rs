//! The catalog in one table of DynamoDB, which any number of replicas share.

mod access;
mod changes;
mod client;
mod failure;
mod item;
mod lists;
mod read;
mod write;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;

pub use failure::Reason;

use super::{CatalogConfig, CatalogError};

/// How often something is tried again that others were in the way of.
const TRIES: u32 = 20;

#[derive(Debug, Clone)]
pub(super) struct DynamoDb {
    client: Client,
    table: Arc<str>,
}

impl DynamoDb {
    pub(super) async fn open(table: &str, config: &CatalogConfig) -> Self {
        Self { client: client::open(config).await, table: table.into() }
    }

    pub(super) fn describe(&self) -> String {
        format!("DynamoDB table `{}`", self.table)
    }

    /// Asks as every other question does: the rights that it needs are those that are needed anyway.
    pub(super) async fn check(&self) -> Result<(), CatalogError> {
        self.item(item::PROJECT, "-").await.map(drop)
    }
}

/// Waits before the next try: a random part of a time that doubles, so that those who met part.
async fn pause(tries: u32) {
    let longest = 20_u64 << tries.min(6);
    let random = getrandom::u64().expect("the system has random numbers");
    tokio::time::sleep(Duration::from_millis(1 + random % longest)).await;
}

/// A text that nobody else has.
fn unique() -> String {
    let random = (getrandom::u64(), getrandom::u64());
    let (Ok(one), Ok(two)) = random else { unreachable!("the system has random numbers") };
    format!("{one:016x}{two:016x}")
}
