//! Conditional writes to a store that may not keep conditions, by its only writer.

use gitdeploy_core::Key;
use tokio::sync::Mutex;

use super::S3;
use crate::error::StoreError;
use crate::object::{Content, ETag, Precondition, Put};

/// Holds back the other conditional writes of this process while one is looked at and written.
#[derive(Debug, Default)]
pub(super) struct SingleWriter(Mutex<()>);

impl SingleWriter {
    /// Looks whether the condition holds, and writes. The condition is sent along all the same, so that a store
    /// that does keep conditions loses nothing. If it will not write with it although it holds, it is asked
    /// without it.
    pub(super) async fn put(
        &self,
        s3: &S3,
        key: &Key,
        content: Content,
        put: Put,
    ) -> Result<ETag, StoreError> {
        let _alone = self.0.lock().await;
        let precondition = put.precondition.clone();
        match holds(s3, key, &precondition).await {
            // Who may only write cannot look.
            Ok(true) | Err(StoreError::Denied { .. }) => {}
            Ok(false) => return Err(StoreError::Changed(key.to_string())),
            Err(error) => return Err(error),
        }
        let error = match s3.put_as_asked(key, content.clone(), put.clone()).await {
            Err(error) if !error.is_transient() => error,
            written => return written,
        };
        match holds(s3, key, &precondition).await {
            Ok(true) => {
                let put = Put { precondition: Precondition::None, ..put };
                s3.put_as_asked(key, content, put).await
            }
            _ => Err(error),
        }
    }
}

async fn holds(s3: &S3, key: &Key, precondition: &Precondition) -> Result<bool, StoreError> {
    let found = match s3.head(key).await {
        Ok(meta) => Some(meta.etag),
        Err(StoreError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(match precondition {
        Precondition::None => true,
        Precondition::Absent => found.is_none(),
        Precondition::Matches(etag) => found.as_ref() == Some(etag),
    })
}
