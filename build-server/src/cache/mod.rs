//! What a build keeps for the builds of its project after it: downloads of the package manager, installed packages,
//! and what the framework remembers.
//!
//! Nothing here ever fails a build. What cannot be used is told as a notice, and then it is as if there were no
//! cache.

mod below;
mod entry;
mod npm;
mod pack;
mod parts;
mod prune;
mod restore;
mod save;
mod unpack;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gitdeploy_core::event::Decision;
use gitdeploy_core::{CacheLevel, CacheUse, ProjectId};
use gitdeploy_store::{ObjectStore, StoreError};

use crate::archive::{ArchiveError, Limits};
use crate::log::Recorder;
use crate::plan::Plan;
use crate::sandbox::Owner;
use entry::Shelf;
use parts::{Kind, Part};

pub(crate) use restore::Restored;
pub(crate) use save::Saving;

/// How much an archive may hold.
const LIMITS: Limits = Limits { bytes: 2 << 30, entries: 300_000 };

/// How long restoring may take, and then saving.
const LIMIT: Duration = Duration::from_mins(1);

/// The cache of one build.
#[derive(Debug)]
pub(crate) struct Cache<'a> {
    usage: CacheUse,
    project: &'a ProjectId,
    store: &'a ObjectStore,
    recorder: &'a Recorder,
    /// The workspace, with the directories `home` and `source` of the build and one of our own.
    workspace: PathBuf,
    owner: Owner,
    parts: Vec<Part>,
}

/// Why something in the cache cannot be used, or nothing be kept.
#[derive(Debug, thiserror::Error)]
enum CacheError {
    #[error("what is written down as `{0}` cannot be read")]
    Entry(String),
    #[error("the archive is not what was saved")]
    NotAsSaved,
    #[error("there is more than 2 GiB, or more than 300,000 files")]
    TooLarge,
    #[error("it takes longer than a minute")]
    TooSlow,
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl<'a> Cache<'a> {
    /// The cache of a build that does what `plan` says.
    pub(crate) fn new(
        usage: CacheUse,
        project: &'a ProjectId,
        store: &'a ObjectStore,
        recorder: &'a Recorder,
        workspace: &Path,
        owner: Owner,
        plan: &Plan,
    ) -> Self {
        // The plan has the real paths of the directories that it names.
        let workspace = workspace.canonicalize().unwrap_or_else(|_| workspace.to_owned());
        let is_used = !usage.restores().is_empty() || usage.saves().is_some();
        let parts = if is_used { parts::parts(&workspace, plan) } else { Vec::new() };
        Self { usage, project, store, recorder, workspace, owner, parts }
    }

    /// What the cache is looked for under.
    pub(crate) fn decision(&self) -> Option<Decision> {
        let because = match self.usage.restores() {
            [] => "the build starts from nothing and keeps what it makes",
            [CacheLevel::Production] => "what builds for production have kept",
            _ => "what previews have kept, and then builds for production",
        };
        let names: Vec<_> = self.parts.iter().map(Part::shown).collect();
        (!names.is_empty()).then(|| Decision {
            name: "cache".to_owned(),
            value: names.join(", "),
            because: because.to_owned(),
            file: None,
        })
    }

    /// Whether there may be something to restore.
    pub(crate) fn restores(&self) -> bool {
        !self.parts.is_empty() && !self.usage.restores().is_empty()
    }

    /// Keeps no packages, because what is installed is not what the lockfile says.
    pub(crate) fn forget_packages(&mut self) {
        self.parts.retain(|part| part.kind != Kind::Modules);
    }

    /// A directory of the workspace that no command of the build's can reach.
    fn own(&self) -> PathBuf {
        self.workspace.join("cache")
    }

    fn shelf(&self, level: CacheLevel) -> Shelf<'_> {
        Shelf { store: self.store, project: self.project, level }
    }

    fn notice(&self, part: &Part, what: &str, error: &CacheError) {
        self.recorder.notice(format!("{} {what}: {error}", part.title()));
    }
}
