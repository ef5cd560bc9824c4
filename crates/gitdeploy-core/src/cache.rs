//! Who may use what a project's builds keep for the builds after them.

use serde::{Deserialize, Serialize};

/// How far a build is trusted. What a build keeps is found by builds of its own level and of those below, so
/// what somebody proposes never reaches what visitors see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheLevel {
    /// Builds for production.
    #[default]
    Production,
    /// Previews.
    Preview,
}

/// What a build does with the cache of its project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheMode {
    /// Uses what is kept, and keeps what it made.
    #[default]
    ReadWrite,
    /// Uses what is kept and keeps nothing: for a change that a stranger proposes.
    Read,
    /// Starts from nothing and keeps what it made.
    Write,
    /// Neither.
    Off,
}

/// A build's use of the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CacheUse {
    /// What it does.
    pub mode: CacheMode,
    /// How far it is trusted.
    pub level: CacheLevel,
}

impl CacheLevel {
    /// All levels.
    pub const ALL: [Self; 2] = [Self::Production, Self::Preview];

    /// The name that stands in keys and variables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Preview => "preview",
        }
    }
}

impl CacheMode {
    /// All modes.
    pub const ALL: [Self; 4] = [Self::ReadWrite, Self::Read, Self::Write, Self::Off];

    /// The name that stands in variables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::Read => "read",
            Self::Write => "write",
            Self::Off => "off",
        }
    }
}

impl CacheUse {
    /// The levels from which it may restore, its own first.
    pub fn restores(self) -> &'static [CacheLevel] {
        match (self.mode, self.level) {
            (CacheMode::Write | CacheMode::Off, _) => &[],
            (_, CacheLevel::Production) => &[CacheLevel::Production],
            (_, CacheLevel::Preview) => &[CacheLevel::Preview, CacheLevel::Production],
        }
    }

    /// The level to which it may save.
    pub fn saves(self) -> Option<CacheLevel> {
        matches!(self.mode, CacheMode::ReadWrite | CacheMode::Write).then_some(self.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_never_finds_what_a_preview_kept() {
        for mode in CacheMode::ALL {
            let build = CacheUse { mode, level: CacheLevel::Production };
            assert!(!build.restores().contains(&CacheLevel::Preview), "{mode:?}");
            assert_ne!(build.saves(), Some(CacheLevel::Preview), "{mode:?}");
            let preview = CacheUse { mode, level: CacheLevel::Preview };
            assert_ne!(preview.saves(), Some(CacheLevel::Production), "{mode:?}");
        }
    }

    #[test]
    fn who_only_reads_keeps_nothing_and_who_only_writes_starts_from_nothing() {
        for level in CacheLevel::ALL {
            assert_eq!(CacheUse { mode: CacheMode::Read, level }.saves(), None);
            assert!(CacheUse { mode: CacheMode::Write, level }.restores().is_empty());
            let off = CacheUse { mode: CacheMode::Off, level };
            assert_eq!((off.saves(), off.restores()), (None, &[][..]));
        }
    }
}
