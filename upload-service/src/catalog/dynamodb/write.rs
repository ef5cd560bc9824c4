//! Transactions: all of their writes happen, or none.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};

use super::item::{self, Item};
use super::{DynamoDb, failure};
use crate::catalog::CatalogError;

/// What came of a transaction.
#[derive(Debug)]
pub(super) enum Wrote {
    /// All of it was written.
    All,
    /// Nothing was: somebody else writes at the same time, or these conditions, by their place, do not hold.
    Nothing { refused: Vec<bool> },
}

/// Writes that happen together.
#[derive(Debug, Default)]
pub(super) struct Writes(Vec<TransactWriteItem>);

impl Writes {
    /// How many there are: the place of the next.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts an item where there is none.
    pub(super) fn add(&mut self, table: &str, item: Item) {
        self.push(
            Put::builder()
                .table_name(table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build()
                .map(|put| TransactWriteItem::builder().put(put).build()),
        );
    }

    /// Puts an item in the place of the one with this revision.
    pub(super) fn replace(&mut self, table: &str, item: Item, revision: &str) {
        self.push(
            Put::builder()
                .table_name(table)
                .set_item(Some(item))
                .condition_expression("#revision = :revision")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":revision", item::text(revision))
                .build()
                .map(|put| TransactWriteItem::builder().put(put).build()),
        );
    }

    /// Removes an item.
    pub(super) fn remove(&mut self, table: &str, key: Item) {
        self.push(
            Delete::builder()
                .table_name(table)
                .set_key(Some(key))
                .build()
                .map(|delete| TransactWriteItem::builder().delete(delete).build()),
        );
    }

    /// Makes a deployment the production of its project, unless a newer one is or was.
    pub(super) fn promote_newest(&mut self, table: &str, project: Item, deployment: AttributeValue) {
        self.push(
            Update::builder()
                .table_name(table)
                .set_key(Some(project))
                .update_expression("SET production = :id, newest = :id")
                .condition_expression(
                    "attribute_exists(pk) AND (attribute_not_exists(newest) OR newest < :id)",
                )
                .expression_attribute_values(":id", deployment)
                .build()
                .map(|update| TransactWriteItem::builder().update(update).build()),
        );
    }

    /// Makes an older deployment the production of its project.
    pub(super) fn promote_older(&mut self, table: &str, project: Item, deployment: AttributeValue) {
        self.push(
            Update::builder()
                .table_name(table)
                .set_key(Some(project))
                .update_expression("SET production = :id")
                .condition_expression("newest >= :id")
                .expression_attribute_values(":id", deployment)
                .build()
                .map(|update| TransactWriteItem::builder().update(update).build()),
        );
    }

    fn push(&mut self, write: Result<TransactWriteItem, BuildError>) {
        self.0.push(write.expect("every write has a table and what it writes"));
    }
}

impl DynamoDb {
    /// Writes. DynamoDB knows a repeat by `token` for ten minutes, so an answer that was lost on its way is
    /// given again.
    pub(super) async fn transact(&self, writes: Writes, token: &str) -> Result<Wrote, CatalogError> {
        let request = self.client.transact_write_items().set_transact_items(Some(writes.0));
        let Err(error) = request.client_request_token(token).send().await else { return Ok(Wrote::All) };
        let canceled = error.as_service_error().and_then(|error| match error {
            aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(canceled) => Some(canceled),
            _ => None,
        });
        let Some(canceled) = canceled else {
            return Err(failure::failed(&self.table, &error));
        };
        let mut refused = Vec::new();
        for reason in canceled.cancellation_reasons() {
            let passes = match reason.code().unwrap_or("None") {
                "ConditionalCheckFailed" => false,
                "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded" => true,
                code => {
                    let why = format!("{code}: {}", reason.message().unwrap_or_default());
                    return Err(failure::denied(&self.table, &why));
                }
            };
            refused.push(!passes);
        }
        Ok(Wrote::Nothing { refused })
    }
}
