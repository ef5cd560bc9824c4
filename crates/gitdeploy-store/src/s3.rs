//! Objects in S3, or in a store that speaks its protocol.

mod client;
mod copy;
mod failure;
mod lent;
mod multipart;
mod probe;
mod read;
mod single_writer;
mod write;

use aws_sdk_s3::Client;
use gitdeploy_core::{Key, KeyPrefix};

use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::object::{Meta, Page};
pub(crate) use client::Haste;
use failure::{Doing, is_fatal};
use single_writer::SingleWriter;

#[derive(Debug)]
pub(crate) struct S3 {
    client: Client,
    bucket: String,
    prefix: String,
    single_writer: Option<SingleWriter>,
    /// Whether somebody renews our keys.
    lent: bool,
}

impl S3 {
    pub(crate) async fn open(bucket: &str, config: &StoreConfig, haste: Haste) -> Self {
        let client = client::open(config, haste).await;
        let single_writer = config.single_writer.then(SingleWriter::default);
        let (bucket, prefix) = (bucket.to_owned(), config.prefix.clone());
        Self { client, bucket, prefix, single_writer, lent: config.lent.is_some() }
    }

    pub(crate) fn describe(&self) -> String {
        match self.prefix.as_str() {
            "" => format!("S3 bucket `{}`", self.bucket),
            prefix => format!("S3 bucket `{}`, keys from `{prefix}`", self.bucket),
        }
    }

    /// Asks for an object rather than for the bucket: a builder may do nothing with the bucket itself, and
    /// only the answer to a GET has a body that says what is wrong.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let name = "__manifests/.check";
        let asked = self.client.get_object().bucket(&self.bucket).key(self.full(name)).send().await;
        match asked {
            Err(error) if error.raw_response().is_none() || is_fatal(&error) => {
                Err(self.doing("reach", name).failed(&error))
            }
            Err(error) => match self.doing("reach", name).failed(&error) {
                error if error.is_transient() => Err(error),
                _ => Ok(()),
            },
            Ok(_) => Ok(()),
        }
    }

    pub(crate) async fn head(&self, key: &Key) -> Result<Meta, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(self.key(key)).send().await;
        let head = head.map_err(|error| self.doing("read", key.as_str()).failed(&error))?;
        let bytes = read::size(head.content_length);
        read::meta(bytes, head.e_tag, head.content_type)
            .ok_or_else(|| self.doing("read", key.as_str()).incomplete())
    }

    pub(crate) async fn list(&self, prefix: &KeyPrefix, after: Option<&str>) -> Result<Page, StoreError> {
        let listed = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.full(prefix.as_str()))
            .set_continuation_token(after.map(str::to_owned))
            .send()
            .await
            .map_err(|error| self.doing("list", prefix.as_str()).failed(&error))?;
        let next = listed.next_continuation_token.filter(|_| listed.is_truncated == Some(true));
        let objects = listed.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let key = Key::from_listing(object.key?.strip_prefix(&self.prefix)?)?;
            Some((key, read::size(object.size)?))
        });
        Ok(Page { objects: objects.collect(), next })
    }

    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let deleted = self.client.delete_object().bucket(&self.bucket).key(self.key(key)).send().await;
        match deleted.map_err(|error| self.doing("remove", key.as_str()).failed(&error)) {
            Ok(_) | Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn key(&self, key: &Key) -> String {
        self.full(key.as_str())
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn doing<'a>(&'a self, what: &'static str, key: &'a str) -> Doing<'a> {
        Doing { what, key, bucket: &self.bucket, lent: self.lent }
    }
}
