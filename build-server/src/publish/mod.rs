//! Uploads a site: its files first, its manifest last.

mod replace;
mod upload;

use std::collections::BTreeMap;

use gitdeploy_core::manifest::{self, File, Origin};
use gitdeploy_core::{Attempt, BuildSpec, Failure, FailureCode, Manifest, OutputId, SitePath, keys};
use gitdeploy_store::{Content, ETag, ObjectStore, Precondition, Put, StoreError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::log::Recorder;
use crate::output::SiteFile;
use crate::site::Site;
use crate::stop::Stop;

/// A site on its way into the store.
#[derive(Debug)]
pub(crate) struct Publication<'a> {
    pub(crate) id: OutputId,
    pub(crate) attempt: Attempt,
    /// Whether an earlier site of the same id is replaced, as happens without an upload service.
    pub(crate) replaces: bool,
    pub(crate) origin: Origin,
    pub(crate) site: Site,
    pub(crate) started: Timestamp,
    pub(crate) store: &'a ObjectStore,
    pub(crate) recorder: &'a Recorder,
    pub(crate) cancel: &'a CancellationToken,
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
        origin: Origin,
        site: Site,
        started: Timestamp,
        store: &'a ObjectStore,
        recorder: &'a Recorder,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self {
            id: spec.output_id(),
            attempt: spec.attempt.unwrap_or(Attempt::FIRST),
            replaces: spec.deployment.is_none(),
            origin,
            site,
            started,
            store,
            recorder,
            cancel,
        }
    }

    /// Publishes `files` and returns the manifest that visitors see.
    pub(crate) async fn publish(&self, files: &[SiteFile]) -> Result<Manifest, Stop> {
        if self.replaces
            && let Some(earlier) = self.earlier().await?
        {
            return self.replace(files, earlier).await;
        }
        let uploaded = self.upload(files.iter(), |path| keys::output(&self.id, path)).await?;
        let manifest = self.manifest(uploaded);
        self.write(&manifest, Precondition::Absent).await?;
        Ok(manifest)
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
        let put = Put { precondition, content_type: Some("application/json".to_owned()) };
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
