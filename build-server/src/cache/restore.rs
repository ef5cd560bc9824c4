//! Restores what earlier builds have kept.

use std::ffi::OsString;
use std::time::Instant;

use gitdeploy_core::hash::Hasher;
use gitdeploy_core::size::size;
use gitdeploy_core::{CacheLevel, Phase};

use super::entry::Entry;
use super::npm::AGAIN;
use super::parts::{Kind, Part};
use super::unpack::Staged;
use super::{Cache, CacheError, LIMIT};
use crate::archive;
use crate::plan::Plan;

/// After how many changes of the lockfile what is kept begins anew: each time what is no longer needed stays in it.
const GENERATIONS: u32 = 10;

/// What was restored.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// `node_modules`, as the lockfile says.
    pub(crate) modules: bool,
    /// Anything else that spares downloads.
    pub(crate) downloads: bool,
    /// The caches of the framework, which wait until the packages are installed.
    framework: Option<(Part, Staged)>,
    /// What each part was restored from.
    pub(super) found: Vec<(Kind, Found)>,
}

/// An archive that was kept.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) entry: Entry,
    pub(super) level: CacheLevel,
    /// Whether it was made for just this key.
    pub(super) exact: bool,
}

impl Restored {
    /// Lets the install command make use of it.
    pub(crate) fn adapt(&self, plan: &mut Plan, environment: &mut Vec<(String, OsString)>) {
        if self.modules
            && let Some(install) = &mut plan.install
        {
            AGAIN.clone_into(&mut install.line);
        }
        // What was downloaded is asked about again otherwise, though the lockfile says which version it must be.
        let is_locked = plan.packages.as_ref().is_some_and(|packages| packages.lockfile.is_some());
        if is_locked && (self.modules || self.downloads) {
            environment.push(("npm_config_prefer_offline".to_owned(), "true".into()));
        }
    }

    /// What came of it, for people.
    pub(crate) fn summary(&self) -> String {
        match self.found.iter().map(|(_, found)| found.entry.bytes).sum::<u64>() {
            0 => "nothing was kept".to_owned(),
            bytes => size(bytes),
        }
    }
}

impl Cache<'_> {
    /// Restores what can be used of what earlier builds have kept. The caches of the framework are put in their
    /// places by [`Cache::place`], once the packages are installed.
    pub(crate) async fn restore(&self) -> Restored {
        let mut restored = Restored::default();
        let over = Instant::now() + LIMIT;
        for part in &self.parts {
            // Whoever has the packages needs no downloads.
            if part.kind == Kind::Downloads && restored.modules {
                continue;
            }
            let work = tokio::time::timeout_at(over.into(), self.restore_part(part, over, &mut restored));
            let result = work.await.unwrap_or(Err(CacheError::TooSlow));
            if let Err(error) = result {
                self.notice(part, "could not be restored", &error);
            }
        }
        restored
    }

    async fn restore_part(
        &self,
        part: &Part,
        over: Instant,
        restored: &mut Restored,
    ) -> Result<(), CacheError> {
        let Some(found) = self.find(part).await? else {
            return Ok(());
        };
        let Some(staged) = self.fetch(part, &found, over).await? else {
            return Ok(());
        };
        let how = match (part.key, found.exact) {
            (Some(_), true) => "exact",
            (Some(_), false) => "of another lockfile",
            (None, _) => "newest",
        };
        let from = match found.level {
            level if level == self.usage.level => "",
            _ => ", kept for production",
        };
        let content = size(staged.content);
        self.recorder.say(Phase::Restore, format!("cache: {content} of {} ({how}{from})", part.title()));
        match part.kind {
            Kind::Framework => restored.framework = Some((part.clone(), staged)),
            Kind::Modules => restored.modules = self.put(part, &staged)?,
            Kind::Downloads => restored.downloads = self.put(part, &staged)?,
        }
        restored.found.push((part.kind, found));
        Ok(())
    }

    /// The archive to restore: of this very key, else the newest.
    async fn find(&self, part: &Part) -> Result<Option<Found>, CacheError> {
        let usable = |entry: &Entry| entry.directories == part.directories;
        let mut newest = None;
        for &level in self.usage.restores() {
            let kept = self.shelf(level);
            let latest = kept.entry(&part.name).await?.filter(usable);
            let is_exact = |entry: &Entry| entry.key == part.key;
            if let Some(entry) = latest.clone().filter(is_exact) {
                return Ok(Some(Found { entry, level, exact: true }));
            }
            if let Some(name) = part.exact_name()
                && latest.is_some()
                && let Some(entry) = kept.entry(&name).await?.filter(usable).filter(is_exact)
            {
                return Ok(Some(Found { entry, level, exact: true }));
            }
            newest = newest.or(latest.map(|entry| Found { entry, level, exact: false }));
        }
        // Other packages than the lockfile names are of no use, and old ones are not carried along for ever.
        Ok(newest.filter(|found| part.kind != Kind::Modules && found.entry.generation < GENERATIONS))
    }

    async fn fetch(&self, part: &Part, found: &Found, over: Instant) -> Result<Option<Staged>, CacheError> {
        let Some(body) = self.shelf(found.level).archive(&found.entry).await? else {
            return Ok(None);
        };
        let (mut hasher, mut bytes) = (Hasher::default(), 0);
        let file = archive::download(body, |piece| {
            hasher.update(piece);
            bytes += piece.len() as u64;
        })
        .await?;
        if hasher.finish() != found.entry.archive || bytes != found.entry.bytes {
            return Err(CacheError::NotAsSaved);
        }
        let (directories, own) = (part.directories.clone(), self.own());
        let unpack = move || Staged::unpack(file, &directories, &own, &|| Instant::now() >= over);
        tokio::task::spawn_blocking(unpack).await.map_err(std::io::Error::from)?.map(Some)
    }

    /// Puts the caches of the framework in their places.
    pub(crate) fn place(&self, restored: &mut Restored) {
        if let Some((part, staged)) = restored.framework.take()
            && let Err(error) = self.put(&part, &staged)
        {
            self.notice(&part, "could not be restored", &error);
        }
    }

    /// Moves what was unpacked to its places; false: some are taken.
    fn put(&self, part: &Part, staged: &Staged) -> Result<bool, CacheError> {
        let occupied = staged.place(&self.workspace, &part.directories, self.owner)?;
        for directory in &occupied {
            let shown = directory.trim_start_matches("source/");
            self.recorder.notice(format!("`{shown}` is there already, so what was kept of it is not used"));
        }
        Ok(occupied.is_empty())
    }
}
