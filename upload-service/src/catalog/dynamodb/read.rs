//! Reads, all of them consistent: what was written before is seen.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::item::{self, Item};
use super::{DynamoDb, TRIES, failure, pause};
use crate::catalog::CatalogError;

/// How many items one request may ask for by their keys.
const MOST_KEYS: usize = 100;

/// A part of a partition, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Range<'a> {
    /// Only where the sort key starts with this.
    pub(super) prefix: Option<&'a str>,
    /// Only where the sort key is less than this.
    pub(super) below: Option<&'a str>,
    /// Only where the field has this value.
    pub(super) only: Option<(&'a str, &'a str)>,
    /// From the last one to the first.
    pub(super) backward: bool,
    /// At most this many; zero: all.
    pub(super) limit: usize,
}

impl DynamoDb {
    pub(super) async fn item(&self, pk: &str, sk: &str) -> Result<Option<Item>, CatalogError> {
        let asked = self.client.get_item().table_name(&*self.table).consistent_read(true);
        let answer = asked.set_key(Some(item::key(pk, sk))).send().await;
        Ok(answer.map_err(|error| failure::failed(&self.table, &error))?.item)
    }

    /// The items of a part of a partition. Reads on until there are enough, whatever one answer holds.
    pub(super) async fn query(&self, pk: &str, range: &Range<'_>) -> Result<Vec<Item>, CatalogError> {
        let mut condition = "pk = :pk".to_owned();
        let mut values = HashMap::from([(":pk".to_owned(), item::text(pk))]);
        // An empty text is no value of a key.
        if let Some(prefix) = range.prefix.filter(|prefix| !prefix.is_empty()) {
            condition += " AND begins_with(sk, :prefix)";
            values.insert(":prefix".to_owned(), item::text(prefix));
        } else if let Some(below) = range.below {
            condition += " AND sk < :below";
            values.insert(":below".to_owned(), item::text(below));
        }
        if let Some((_, value)) = range.only {
            values.insert(":only".to_owned(), item::text(value));
        }
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let mut query = self
                .client
                .query()
                .table_name(&*self.table)
                .consistent_read(true)
                .key_condition_expression(&condition)
                .set_expression_attribute_values(Some(values.clone()))
                .scan_index_forward(!range.backward)
                .set_exclusive_start_key(start);
            match range.only {
                Some((field, _)) => {
                    query =
                        query.filter_expression("#only = :only").expression_attribute_names("#only", field);
                }
                None if range.limit > 0 => {
                    let missing = i32::try_from(range.limit - found.len()).unwrap_or(i32::MAX);
                    query = query.limit(missing);
                }
                None => {}
            }
            let answer = query.send().await.map_err(|error| failure::failed(&self.table, &error))?;
            found.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            let enough = range.limit > 0 && found.len() >= range.limit;
            if enough || start.is_none() {
                if enough {
                    found.truncate(range.limit);
                }
                return Ok(found);
            }
        }
    }

    /// The items with these keys, as far as they are there, in any order.
    pub(super) async fn items(&self, keys: Vec<Item>) -> Result<Vec<Item>, CatalogError> {
        let mut found = Vec::new();
        for part in keys.chunks(MOST_KEYS) {
            let mut left = part.to_vec();
            let mut tries = 0;
            while !left.is_empty() {
                if tries == TRIES {
                    return Err(failure::busy(&self.table));
                }
                if tries > 0 {
                    pause(tries).await;
                }
                tries += 1;
                let asked = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(left));
                let asked = asked.build().expect("there are keys");
                let answer = self.client.batch_get_item().request_items(&*self.table, asked).send().await;
                let answer = answer.map_err(|error| failure::failed(&self.table, &error))?;
                found.extend(answer.responses.unwrap_or_default().into_values().flatten());
                let unprocessed = answer.unprocessed_keys.unwrap_or_default().into_values();
                left = unprocessed.flat_map(|keys| keys.keys).collect();
            }
        }
        Ok(found)
    }
}
