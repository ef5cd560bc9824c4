//! Whether requests should be sent here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Whether the process takes part in serving. Clones share it.
///
/// A store that fails later makes no difference: what is known is served on, and other proxies are no better off.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

/// Where a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Starting,
    Serving,
    Draining,
}

impl Readiness {
    pub(crate) fn stage(&self) -> Stage {
        match self.0.load(Relaxed) {
            0 => Stage::Starting,
            1 => Stage::Serving,
            _ => Stage::Draining,
        }
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.0.store(stage as u8, Relaxed);
    }
}

impl Stage {
    /// Why no requests should be sent here, if they should not.
    pub(crate) fn objection(self) -> Option<&'static str> {
        match self {
            Self::Starting => Some("starting: the store was not reached yet"),
            Self::Serving => None,
            Self::Draining => Some("stopping: requests in flight are finished, others should go elsewhere"),
        }
    }
}
