//! Grants, with which proxies explain their answers, and the key that both share.

use gitdeploy_core::{Grant, GrantKey, keys};
use gitdeploy_store::{Content, Precondition, Put, StoreError};
use jiff::Timestamp;

use crate::access;
use crate::control::Control;

/// The largest key that is read, in bytes: more than any has.
const KEY_LIMIT: u64 = 1 << 10;

impl Control {
    /// A grant for a host, as [`GrantKey::grant`] wants it.
    pub(crate) async fn grant(&self, host: &str) -> Result<Grant, StoreError> {
        Ok(self.grant_key().await?.grant(host, Timestamp::now()))
    }

    /// The key in the store, which is made by whoever needs it first. It is read each time: who removes it takes back
    /// every grant.
    async fn grant_key(&self) -> Result<GrantKey, StoreError> {
        let key = keys::grant_key();
        loop {
            let precondition = match self.store.read(&key, KEY_LIMIT).await {
                Ok((meta, bytes)) => {
                    if let Some(key) = GrantKey::read(&bytes) {
                        return Ok(key);
                    }
                    tracing::warn!(%key, "what lies in the place of a key is none, and is replaced");
                    Precondition::Matches(meta.etag)
                }
                Err(StoreError::NotFound(_)) => Precondition::Absent,
                Err(error) => return Err(error),
            };
            let made = GrantKey::new(access::random());
            let content = Content::Bytes(made.as_bytes().to_vec().into());
            match self.store.put(&key, content, Put { precondition, ..Put::default() }).await {
                Ok(_) => return Ok(made),
                // Another replica was first.
                Err(StoreError::Changed(_) | StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
