//! Keeps what the builds after this one can use.
//!
//! Packing begins when the last command has ended, on a thread that leaves the processors to whoever wants them,
//! while the output is checked and uploaded. What is packed is saved once the site is published.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::size::size;
use gitdeploy_core::{CacheLevel, Phase};
use gitdeploy_store::Content;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::entry::Entry;
use super::pack::{self, Packed};
use super::parts::{Kind, Part};
use super::restore::{Found, Restored};
use super::{Cache, CacheError, LIMIT, npm};

/// How much a thread that packs gives way to others.
const NICE: i32 = 10;

/// What is being packed.
#[derive(Debug)]
pub(crate) struct Saving {
    packing: Vec<Packing>,
    /// Packing ends with whoever waits for it.
    _stop: DropGuard,
}

#[derive(Debug)]
struct Packing {
    part: Part,
    found: Option<Found>,
    packed: oneshot::Receiver<Result<Option<Packed>, CacheError>>,
}

/// An archive that was saved.
struct Saved {
    bytes: u64,
    /// The archives in whose place it is.
    replaced: Vec<Sha256>,
}

impl Cache<'_> {
    /// Notes that the packages are installed: what changes from now on, the build has changed.
    pub(crate) fn installed(&self) {
        if let Err(error) = std::fs::write(self.marker(), "") {
            tracing::warn!(%error, "the end of the installation could not be noted");
        }
    }

    fn marker(&self) -> PathBuf {
        self.own().join("installed")
    }

    /// Begins to pack what has changed since it was restored.
    pub(crate) fn pack(&self, restored: &Restored) -> Option<Saving> {
        let level = self.usage.saves()?;
        let stop = CancellationToken::new();
        let over = Instant::now() + LIMIT;
        let packing = self.parts.iter().filter_map(|part| {
            let found = restored.found.iter().find(|(kind, _)| *kind == part.kind);
            let found = found.map(|(_, found)| found.clone());
            if is_kept(part, found.as_ref(), level, restored) {
                return None;
            }
            let (done, packed) = oneshot::channel();
            let work = Work {
                workspace: self.workspace.clone(),
                own: self.own(),
                owner: self.owner,
                marker: self.marker(),
                part: part.clone(),
                stop: stop.clone(),
                over,
            };
            let thread = std::thread::Builder::new().name("cache".to_owned());
            let spawned = thread.spawn(move || {
                rustix::process::nice(NICE).ok();
                done.send(work.run()).ok();
            });
            spawned.ok().map(|_| Packing { part: part.clone(), found, packed })
        });
        let packing: Vec<_> = packing.collect();
        (!packing.is_empty()).then(|| Saving { packing, _stop: stop.drop_guard() })
    }

    /// Saves what was packed.
    pub(crate) async fn save(&self, saving: Saving) -> String {
        let over = Instant::now() + LIMIT;
        let (mut bytes, mut replaced) = (0, Vec::new());
        for Packing { part, found, packed } in saving.packing {
            let work = tokio::time::timeout_at(over.into(), self.save_part(&part, found, packed));
            match work.await.unwrap_or(Err(CacheError::TooSlow)) {
                Ok(Some(saved)) => {
                    bytes += saved.bytes;
                    replaced.extend(saved.replaced);
                }
                Ok(None) => {}
                Err(error) => self.notice(&part, "could not be kept for later builds", &error),
            }
        }
        match self.usage.saves() {
            Some(level) if bytes > 0 => {
                tokio::time::timeout_at(over.into(), self.shelf(level).prune(replaced)).await.ok();
                size(bytes)
            }
            _ => "nothing has changed".to_owned(),
        }
    }

    async fn save_part(
        &self,
        part: &Part,
        found: Option<Found>,
        packed: oneshot::Receiver<Result<Option<Packed>, CacheError>>,
    ) -> Result<Option<Saved>, CacheError> {
        let packed = packed.await.map_err(io::Error::other)??;
        let (Some(packed), Some(level)) = (packed, self.usage.saves()) else {
            return Ok(None);
        };
        let same = |found: &Found| found.entry.archive == packed.archive && found.level == level;
        if found.as_ref().is_some_and(|found| same(found) && found.entry.key == part.key) {
            return Ok(None);
        }
        let grown = found.filter(|_| part.kind == Kind::Downloads);
        let entry = Entry {
            archive: packed.archive,
            bytes: packed.bytes,
            key: part.key,
            directories: part.directories.clone(),
            generation: grown.map_or(0, |found| found.entry.generation + 1),
            saved_at: jiff::Timestamp::now().as_millisecond(),
        };
        let names: Vec<_> = part.exact_name().into_iter().chain([part.name.clone()]).collect();
        let content = Content::File(packed.file.path().to_owned());
        let replaced = self.shelf(level).save(&entry, content, &names).await?;
        let text = format!("cache: keeps {} of {}", size(packed.content), part.title());
        self.recorder.say(Phase::Save, text);
        Ok(Some(Saved { bytes: packed.bytes, replaced }))
    }
}

/// Whether a part is kept already, so that there is no need to look at it.
fn is_kept(part: &Part, found: Option<&Found>, level: CacheLevel, restored: &Restored) -> bool {
    let same = found.is_some_and(|found| found.exact && found.level == level && part.key.is_some());
    same || (part.kind == Kind::Downloads && restored.modules)
}

/// The packing of one part.
struct Work {
    workspace: PathBuf,
    own: PathBuf,
    owner: crate::sandbox::Owner,
    marker: PathBuf,
    part: Part,
    stop: CancellationToken,
    over: Instant,
}

impl Work {
    fn run(&self) -> Result<Option<Packed>, CacheError> {
        let is_over = || self.stop.is_cancelled() || Instant::now() >= self.over;
        let pack = |judge: pack::Judge<'_>| {
            let Self { workspace, own, owner, part, .. } = self;
            pack::pack(workspace, &part.directories, own, *owner, judge, &is_over)
        };
        match (self.part.kind, self.part.directories.first()) {
            (Kind::Modules, Some(directory)) => {
                use std::os::unix::fs::MetadataExt as _;
                let marker = self.marker.metadata()?;
                let judge = npm::judge(Path::new(directory), (marker.ctime(), marker.ctime_nsec()));
                pack(&judge)
            }
            _ => pack(&pack::everything),
        }
    }
}
