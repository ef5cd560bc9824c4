//! How an answer came about: for the access log, for metrics, and for the owner who asks.

use std::time::Duration;

use gitdeploy_core::{OutputId, SitePath};

use crate::coding::Coding;

/// How an answer came about, filled in on the way. It travels with the answer, as an extension.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// The label that the host names.
    pub(crate) label: Option<OutputId>,
    /// What the label leads to.
    pub(crate) deployment: Option<OutputId>,
    /// The file that was sent, or would have been.
    pub(crate) file: Option<SitePath>,
    /// How the file was compressed.
    pub(crate) encoding: Option<Coding>,
    /// Where the body came from.
    pub(crate) source: Option<Source>,
    /// How long the store was waited for.
    pub(crate) store_time: Duration,
}

/// Where a body came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was in memory.
    Memory,
    /// It was asked of the store.
    Store,
}

impl Source {
    /// The name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Store => "store",
        }
    }
}
