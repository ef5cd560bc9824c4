//! How asking a store fails: one variant for each thing a caller may do about it.

/// Why a store did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such object.
    #[error("there is no object `{0}`")]
    NotFound(String),
    /// The object still has the content that the caller knows.
    #[error("the object has not changed")]
    NotModified,
    /// A precondition does not hold: somebody else has written.
    #[error("`{0}` was changed meanwhile")]
    Changed(String),
    /// The range starts after the last byte.
    #[error("the range lies outside of the object")]
    RangeNotSatisfiable,
    /// The object is larger than the caller takes.
    #[error("the object is larger than {limit} bytes")]
    TooLarge {
        /// What the caller takes.
        limit: u64,
    },
    /// The store refuses; trying again does not help.
    #[error("the store refuses `{key}`")]
    Denied {
        /// What was asked for.
        key: String,
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store does not keep the conditions of writes, so that of two writers one could be lost.
    #[error("{0}")]
    Unsuitable(String),
    /// The store cannot be reached or failed; trying again may help.
    #[error("the store is unavailable: {context}")]
    Unavailable {
        /// What was being done, such as ``cannot read `__manifests/x.json` ``.
        context: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store has too much to do; trying again later, with fewer requests at the same time, may help.
    #[error("the store is busy: {context}")]
    Throttled {
        /// What was being done, such as ``cannot write `__outputs/x/index.html` ``.
        context: String,
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Throttled { .. })
    }

    /// Whether fewer requests at the same time may help.
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Throttled { .. })
    }

    pub(crate) fn unavailable(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { context: context.into(), source: source.into() }
    }

    pub(crate) fn denied(
        key: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Denied { key: key.into(), source: source.into() }
    }
}
