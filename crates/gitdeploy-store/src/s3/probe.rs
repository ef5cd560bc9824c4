//! Finding out what a store does with conditions.

use std::error::Error as _;

use bytes::Bytes;
use futures_util::future::join_all;
use gitdeploy_core::{Key, keys};

use super::S3;
use crate::error::StoreError;
use crate::object::{Content, ETag, Get, Precondition, Put};
use crate::probe::Conditions;

/// What the object of the probe holds, one after the other.
const CONTENTS: [&str; 4] = ["first", "second", "third", "fourth"];

/// How many replace it at once in the end.
const WRITERS: usize = 8;

impl S3 {
    pub(crate) async fn probe(&self) -> Result<Conditions, StoreError> {
        let random = getrandom::u64().map_err(|error| StoreError::unavailable("no randomness", error))?;
        let key = keys::probe(random);
        let conditions = self.conditions(&key).await;
        if let Err(error) = self.delete(&key).await {
            tracing::warn!(%error, key = key.as_str(), "what a probe wrote cannot be removed; it does no harm");
        }
        let conditions = conditions?;
        match self.unsuitable(&conditions) {
            None => Ok(conditions),
            Some(lack) if self.single_writer.is_some() => {
                tracing::warn!("{lack}; routes are safe as long as only one upload service runs");
                Ok(conditions)
            }
            Some(lack) => Err(StoreError::Unsuitable(format!(
                "{lack}: two writers could overwrite each other's routes; use a store with conditional writes, \
                 or set `GITDEPLOY_STORE_SINGLE_WRITER=true` if only one upload service runs"
            ))),
        }
    }

    /// Creates, replaces and reads, each where the condition holds and where it does not.
    async fn conditions(&self, key: &Key) -> Result<Conditions, StoreError> {
        let [first, second, third, fourth] = CONTENTS;
        let created = match self.try_put(key, first, Precondition::Absent).await {
            Ok(etag) => etag,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                // If it does not write without a condition either, the condition is not what it minds.
                self.try_put(key, first, Precondition::None).await?;
                return Ok(refused("If-None-Match", &error));
            }
        };
        self.is_named(key, &created, first).await?;
        match self.try_put(key, second, Precondition::Absent).await {
            Err(StoreError::Changed(_)) => {}
            Ok(_) => return Ok(Conditions::Ignored { header: "If-None-Match" }),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => return Ok(refused("If-None-Match", &error)),
        }
        let replaced = match self.try_put(key, third, Precondition::Matches(created.clone())).await {
            Ok(etag) => etag,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => return Ok(refused("If-Match", &error)),
        };
        self.is_named(key, &replaced, third).await?;
        match self.try_put(key, fourth, Precondition::Matches(created)).await {
            Err(StoreError::Changed(_)) => self.race(key, &replaced).await,
            Ok(_) => Ok(Conditions::Ignored { header: "If-Match" }),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => Ok(refused("If-Match", &error)),
        }
    }

    /// Lets several replace the same content at once. That one wins does not prove that it will be so every time;
    /// that two win proves that the store is of no use.
    async fn race(&self, key: &Key, etag: &ETag) -> Result<Conditions, StoreError> {
        let writers = (0..WRITERS).map(|_| self.try_put(key, "raced", Precondition::Matches(etag.clone())));
        let (won, lost): (Vec<_>, Vec<_>) = join_all(writers).await.into_iter().partition(Result::is_ok);
        match won.len() {
            // Nobody has written: then it was no race.
            0 => match lost.into_iter().find_map(Result::err).filter(StoreError::is_transient) {
                Some(error) => Err(error),
                None => Ok(Conditions::Kept),
            },
            1 => Ok(Conditions::Kept),
            _ => Ok(Conditions::Raced { header: "If-Match" }),
        }
    }

    async fn try_put(
        &self,
        key: &Key,
        content: &'static str,
        precondition: Precondition,
    ) -> Result<ETag, StoreError> {
        let put = Put { precondition, content_type: Some("text/plain".to_owned()), ..Put::default() };
        self.put_as_asked(key, Content::Bytes(Bytes::from_static(content.as_bytes())), put).await
    }

    /// That what was written is read at once, and under the name that the write was answered with: the proxy asks
    /// for files by it.
    async fn is_named(&self, key: &Key, etag: &ETag, content: &'static str) -> Result<(), StoreError> {
        let get = Get { if_match: Some(etag.clone()), ..Get::default() };
        let read = match self.get(key, get).await {
            Ok(object) => object.read(content.len() as u64).await,
            Err(error) => Err(error),
        };
        match read {
            Ok((_, bytes)) if bytes == content => Ok(()),
            Ok(_) | Err(StoreError::Changed(_) | StoreError::NotFound(_) | StoreError::TooLarge { .. }) => {
                Err(StoreError::Unsuitable(format!(
                    "the S3 bucket `{}` cannot be used: an object that was written is not read at once with the \
                     `ETag` that the write was answered with",
                    self.bucket
                )))
            }
            Err(error) => Err(error),
        }
    }

    fn unsuitable(&self, conditions: &Conditions) -> Option<String> {
        let bucket = &self.bucket;
        match conditions {
            Conditions::Kept => None,
            Conditions::Ignored { header } => Some(format!("the S3 bucket `{bucket}` ignores `{header}`")),
            Conditions::Raced { header } => {
                Some(format!("the S3 bucket `{bucket}` ignores `{header}` when several write at once"))
            }
            Conditions::Refused { header, reason } => {
                Some(format!("the S3 bucket `{bucket}` refuses writes with `{header}` ({reason})"))
            }
        }
    }
}

fn refused(header: &'static str, error: &StoreError) -> Conditions {
    let reason = match error {
        StoreError::Changed(_) => "it says that the condition does not hold, but it does".to_owned(),
        error => error.source().map_or_else(|| error.to_string(), ToString::to_string),
    };
    Conditions::Refused { header, reason }
}
