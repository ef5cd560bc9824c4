//! Uploads a site: its files first, its manifest last.

mod asset;
mod known;
mod replace;
mod upload;
mod variants;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use gitdeploy_core::manifest::{self, Encoding, File, Origin};
use gitdeploy_core::{
    Attempt, BuildSpec, Failure, FailureCode, Manifest, OutputId, ProjectId, SitePath, keys,
};
use gitdeploy_store::{Content, ETag, ObjectStore, Pace, Precondition, Put, StoreError};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::log::Recorder;
use crate::site::Site;
use crate::stop::Stop;

pub(crate) use asset::Asset;
use known::Known;
use upload::Target;

/// How many uploads are under way at the same time, unless the store says that it is busy.
const AT_ONCE: usize = 64;

/// A site on its way into the store.
#[derive(Debug)]
pub(crate) struct Publication<'a> {
    id: OutputId,
    attempt: Attempt,
    /// Whether an earlier site of the same id is replaced, as happens without an upload service.
    replaces: bool,
    /// The deployment that is in production meanwhile.
    previous: Option<OutputId>,
    project: ProjectId,
    origin: Origin,
    site: Site,
    started: Timestamp,
    /// The encodings of the compressed copies that are made, where they are made, and how long that may take.
    encodings: &'a [Encoding],
    room: PathBuf,
    process_limit: Duration,
    deadline: Instant,
    pace: Pace,
    store: &'a ObjectStore,
    recorder: &'a Recorder,
    cancel: &'a CancellationToken,
}

/// What is published, and where it comes from.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) site: Site,
    pub(crate) origin: Origin,
    /// When the build began.
    pub(crate) started: Timestamp,
    /// A directory for compressed copies that are too large for memory.
    pub(crate) room: PathBuf,
}

/// A site that visitors see until it is replaced.
#[derive(Debug)]
struct Earlier {
    /// Its manifest; absent where somebody filled the prefix by hand.
    manifest: Option<Manifest>,
    /// What holds as long as nobody else replaces it.
    precondition: Precondition,
}

impl<'a> Publication<'a> {
    pub(crate) fn new(
        spec: &BuildSpec,
        config: &'a Config,
        subject: Subject,
        store: &'a ObjectStore,
        recorder: &'a Recorder,
        cancel: &'a CancellationToken,
    ) -> Self {
        let Subject { site, origin, started, room } = subject;
        Self {
            id: spec.output_id(),
            attempt: spec.attempt.unwrap_or(Attempt::FIRST),
            replaces: spec.deployment.is_none(),
            previous: spec.previous.clone().map(OutputId::from),
            project: spec.project.clone(),
            origin,
            site,
            started,
            encodings: &config.variants,
            room,
            process_limit: Duration::from_secs(config.process_seconds),
            deadline: Instant::now() + Duration::from_secs(config.upload_seconds),
            pace: Pace::new(AT_ONCE),
            store,
            recorder,
            cancel,
        }
    }

    /// Publishes `assets` and returns the manifest that visitors see.
    pub(crate) async fn publish(&self, assets: &[Asset]) -> Result<Manifest, Stop> {
        if self.replaces
            && let Some(earlier) = self.in_time(self.earlier()).await?
        {
            return self.replace(assets, earlier).await;
        }
        let known = self.in_time(async { Ok(self.known().await) }).await?;
        let known_variant = |asset: &Asset, encoding| known.as_ref()?.variant(&asset.sha256, encoding);
        let mut pool = self.compress(assets, |asset, encoding| known_variant(asset, encoding).is_some());
        let target = |asset: &Asset| Target {
            key: keys::output(&self.id, &asset.path),
            source: known.as_ref().and_then(|known| known.file(&asset.sha256)),
        };
        let (mut files, made, copied) = self
            .in_time(async {
                tokio::try_join!(
                    self.upload(assets.iter(), target),
                    self.upload_variants(&mut pool),
                    self.copy_variants(assets, known_variant)
                )
            })
            .await?;
        let variants = made.into_iter().chain(copied);
        variants::enter(&mut files, variants);
        let manifest = self.manifest(files);
        self.write(&manifest, Precondition::Absent).await?;
        Ok(manifest)
    }

    /// What the deployment in production has, if there is one that can be read.
    async fn known(&self) -> Option<Known> {
        let previous = self.previous.as_ref().filter(|previous| **previous != self.id)?;
        Known::read(self.store, previous).await
    }

    /// Does `work` unless the build is canceled or the upload takes too long.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(Stop::canceled()),
            () = tokio::time::sleep_until(self.deadline) => {
                Err(Stop::platform(FailureCode::StoreUnavailable, "the upload took longer than it may"))
            }
        }
    }

    /// The site that is replaced, if there is one.
    async fn earlier(&self) -> Result<Option<Earlier>, Stop> {
        match self.store.read(&keys::manifest(&self.id), manifest::LARGEST).await {
            Ok((meta, bytes)) => {
                let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
                    let cause = format!("the manifest of the earlier site cannot be read: {error}");
                    Stop::platform(FailureCode::BuilderFailed, cause)
                })?;
                if manifest.attempt > self.attempt {
                    return Err(overtaken());
                }
                Ok(Some(Earlier { manifest: Some(manifest), precondition: Precondition::Matches(meta.etag) }))
            }
            Err(StoreError::NotFound(_)) if self.is_filled().await? => {
                Ok(Some(Earlier { manifest: None, precondition: Precondition::Absent }))
            }
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether somebody put files there without a manifest. Where we may not look, there are none.
    async fn is_filled(&self) -> Result<bool, Stop> {
        match self.store.list(&keys::outputs(&self.id), None).await {
            Ok(page) => Ok(!page.objects.is_empty()),
            Err(StoreError::Denied { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn manifest(&self, files: BTreeMap<SitePath, File>) -> Manifest {
        Manifest {
            version: manifest::VERSION,
            id: self.id.clone(),
            attempt: self.attempt,
            files,
            project: Some(self.project.clone()),
            origin: self.origin.clone(),
            rules: self.site.rules.clone(),
            builder: concat!("build-server ", env!("CARGO_PKG_VERSION")).to_owned(),
            started: self.started,
            finished: Timestamp::now(),
        }
    }

    /// Writes the manifest: from here on visitors see the site.
    async fn write(&self, manifest: &Manifest, precondition: Precondition) -> Result<ETag, Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::canceled());
        }
        let json = serde_json::to_vec(manifest).expect("a manifest has only text keys");
        if json.len() as u64 > manifest::LARGEST {
            let cause = "the list of the site's files is too large";
            let failure = Failure::new(FailureCode::OutputTooLarge, cause);
            return Err(Stop::author(failure.fix("publish fewer files, or files with shorter names")));
        }
        let content_type = Some("application/json".to_owned());
        let put = Put { precondition, content_type, pace: Some(self.pace.clone()) };
        match self.store.put(&keys::manifest(&self.id), Content::Bytes(json.into()), put).await {
            Ok(etag) => Ok(etag),
            Err(StoreError::Changed(_)) => Err(overtaken()),
            Err(error) => Err(error.into()),
        }
    }
}

fn overtaken() -> Stop {
    let cause = "another build of the same deployment was published meanwhile";
    Stop::platform(FailureCode::StoreUnavailable, cause)
}
