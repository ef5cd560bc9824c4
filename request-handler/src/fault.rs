//! How serving fails through no fault of the visitor.

use std::sync::Arc;
use std::time::Duration;

use gitdeploy_store::StoreError;
use http::StatusCode;

/// Why an answer cannot be had from the store. Clones are handed to everybody who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Fault {
    /// The store took too long.
    #[error("the store did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The store failed or refused.
    #[error("{}", chain(.0))]
    Store(Arc<StoreError>),
    /// What the store holds contradicts itself.
    #[error("{0}")]
    Damaged(String),
    /// An object is no longer what the manifest says: the manifest is old.
    #[error("`{0}` was replaced meanwhile")]
    Outdated(String),
}

impl Fault {
    /// The status that a visitor sees.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Store(_) | Self::Damaged(_) | Self::Outdated(_) => StatusCode::BAD_GATEWAY,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
