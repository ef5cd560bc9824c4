//! How the bus fails.

use gitdeploy_core::Attempt;

/// Why a bus did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The address of Redis is none. Settings that were read from variables cannot have one.
    #[error("the address of Redis is not usable: {0}")]
    Address(String),
    /// Events stay in the memory of this process, where no builder elsewhere can publish.
    #[error(
        "events stay in memory, where builders on other machines cannot publish them: set `GITDEPLOY_BUS_REDIS_URL`"
    )]
    NotShared,
    /// A newer attempt has begun: what this one says is of no interest any more.
    #[error("attempt {0} was overtaken by a newer one")]
    Stale(Attempt),
    /// The bus refuses us; trying again does not help.
    #[error("the bus refuses access: cannot {context}")]
    Denied {
        /// What was being done, such as `publish events of blog`.
        context: String,
        /// What the bus said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bus cannot be reached or failed; trying again may help.
    #[error("the bus is unavailable: cannot {context}")]
    Unavailable {
        /// What was being done, such as `publish events of blog`.
        context: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BusError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
