//! How much of what a build writes is kept.

use gitdeploy_core::size::size;

use super::rate::Limit;
use crate::config::Config;

/// The limits of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many lines a build may write in which time.
    pub(super) rate: Limit,
    /// How many bytes of events are archived.
    pub(super) archive: u64,
    /// How many bytes of the first lines, and of the last, are shown while the build runs.
    pub(super) live: u64,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            rate: Limit { burst: config.log_burst_lines, a_second: config.log_lines_per_second },
            archive: config.log_bytes,
            live: config.log_live_bytes,
        }
    }

    /// Why lines are missing, as the end of a sentence, where they came too fast.
    pub(super) fn too_fast(&self) -> String {
        let Limit { burst, a_second } = self.rate;
        format!("are missing: a build may write {burst} lines at once, and then {a_second} a second")
    }

    /// The same where there were too many.
    pub(super) fn too_many(&self) -> String {
        format!("are missing: the log is longer than {}", size(self.archive))
    }

    /// What is said when lines are no longer shown as they come.
    pub(super) fn held_back(&self) -> String {
        let size = size(self.live);
        format!(
            "the log is longer than {size}: what follows is shown when the phase ends, at most the last {size} of it"
        )
    }
}
