//! Sessions, one-time codes and sealed secrets. DynamoDB removes what has expired some day, so the time is
//! looked at whenever one is read.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use gitdeploy_core::hash::Sha256;
use jiff::Timestamp;

use super::item::{self, CODE, SECRET, SESSION};
use super::{DynamoDb, failure, unique};
use crate::catalog::CatalogError;

impl DynamoDb {
    pub(in crate::catalog) async fn add_session(
        &self,
        hash: Sha256,
        expires: Timestamp,
    ) -> Result<(), CatalogError> {
        self.add_expiring(SESSION, hash, expires).await
    }

    pub(in crate::catalog) async fn has_session(
        &self,
        hash: Sha256,
        now: Timestamp,
    ) -> Result<bool, CatalogError> {
        let Some(session) = self.item(SESSION, &hash.to_string()).await? else {
            return Ok(false);
        };
        let expires = match session.get("until") {
            Some(AttributeValue::N(until)) => until.parse::<i64>().ok(),
            _ => None,
        };
        Ok(expires.is_some_and(|until| until > now.as_millisecond()))
    }

    pub(in crate::catalog) async fn end_session(&self, hash: Sha256) -> Result<(), CatalogError> {
        let delete = self.client.delete_item().table_name(&*self.table);
        let deleted = delete.set_key(Some(item::key(SESSION, &hash.to_string()))).send().await;
        deleted.map(drop).map_err(|error| failure::failed(&self.table, &error))
    }

    pub(in crate::catalog) async fn add_code(
        &self,
        hash: Sha256,
        expires: Timestamp,
    ) -> Result<(), CatalogError> {
        self.add_expiring(CODE, hash, expires).await
    }

    /// A code that was used stays until it expires, with who used it: so a request whose answer was lost can
    /// be repeated.
    pub(in crate::catalog) async fn use_code(
        &self,
        hash: Sha256,
        now: Timestamp,
    ) -> Result<bool, CatalogError> {
        let used = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(item::key(CODE, &hash.to_string())))
            .update_expression("SET #by = :us")
            .condition_expression("#until > :now AND (attribute_not_exists(#by) OR #by = :us)")
            .expression_attribute_names("#by", "used_by")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":us", item::text(unique()))
            .expression_attribute_values(":now", item::number(&now.as_millisecond()))
            .send()
            .await;
        match used {
            Ok(_) => Ok(true),
            Err(error) if failure::is_condition(&error) => Ok(false),
            Err(error) => Err(failure::failed(&self.table, &error)),
        }
    }

    pub(in crate::catalog) async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, CatalogError> {
        let Some(mut item) = self.item(SECRET, name).await? else {
            return Ok(None);
        };
        match item.remove("sealed") {
            Some(AttributeValue::B(sealed)) => Ok(Some(sealed.into_inner())),
            _ => Err(CatalogError::Record(format!("the secret `{name}` has no content"))),
        }
    }

    pub(in crate::catalog) async fn keep_secret(
        &self,
        name: &str,
        sealed: Vec<u8>,
    ) -> Result<Vec<u8>, CatalogError> {
        let put = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item::key(SECRET, name)))
            .item("sealed", AttributeValue::B(Blob::new(sealed.clone())))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match put {
            Ok(_) => Ok(sealed),
            Err(error) if failure::is_condition(&error) => {
                let kept = self.secret(name).await?;
                kept.ok_or_else(|| CatalogError::Record(format!("the secret `{name}` was removed")))
            }
            Err(error) => Err(failure::failed(&self.table, &error)),
        }
    }

    /// `expires` is what DynamoDB removes items by, in seconds; `until` is the same time to the millisecond.
    async fn add_expiring(&self, pk: &str, hash: Sha256, expires: Timestamp) -> Result<(), CatalogError> {
        let put = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item::key(pk, &hash.to_string())))
            .item("until", item::number(&expires.as_millisecond()))
            .item("expires", item::number(&expires.as_second().saturating_add(1)))
            .send()
            .await;
        put.map(drop).map_err(|error| failure::failed(&self.table, &error))
    }
}
