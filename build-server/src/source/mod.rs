//! Where the files of a build come from: a repository or an uploaded archive.

mod address;
mod budget;
mod checkout;
mod clone;
mod credentials;
mod gitmodules;
mod history;
mod host_key;
mod http;
mod lfs;
mod problem;
mod reference;
mod rules;
mod session;
mod submodules;
mod tree;
mod upstream;
mod web;

use std::path::Path;

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::{Source, UploadKind};
use gitdeploy_core::{BuildSpec, Failure, FailureCode, keys};
use gitdeploy_store::{Get, ObjectStore};
use tokio_util::sync::CancellationToken;

use crate::archive::{self, ArchiveError};
use crate::config::Config;
use crate::log::Recorder;
use crate::stop::{Stop, disk};

pub use clone::set_timeouts;
pub(crate) use credentials::Credentials;
pub(crate) use history::History;

/// How much an uploaded archive may hold once it is unpacked.
const UPLOAD: archive::Limits = archive::Limits { bytes: 4 << 30, entries: 500_000 };

/// What was fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) origin: Origin,
    /// How to fetch the history too, where the source is a repository.
    pub(crate) history: Option<History>,
    /// Whether it is a finished site that is only to be published.
    pub(crate) prebuilt: bool,
}

/// Fetches the source of `spec` into the empty directory `target`.
pub(crate) async fn fetch(
    spec: &BuildSpec,
    config: &Config,
    store: &ObjectStore,
    target: &Path,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<Fetched, Stop> {
    match &spec.source {
        Source::Git { repository, reference } => {
            clone_repository(repository, reference.as_deref(), target, config, recorder, cancel).await
        }
        Source::Upload { kind, origin } => {
            let deployment = spec.deployment.as_ref().ok_or_else(|| {
                Stop::author(Failure::new(FailureCode::SourceArchive, "no deployment has this archive"))
            })?;
            let object = store.get(&keys::upload(deployment), Get::default()).await?;
            let file = archive::download(object.body, |_| ()).await.map_err(archive_stop)?;
            let target = target.to_owned();
            tokio::task::spawn_blocking(move || archive::unpack(file, &target, UPLOAD, |_| Ok(())))
                .await
                .map_err(|error| disk("cannot unpack the archive")(error.into()))?
                .map_err(archive_stop)?;
            Ok(Fetched { origin: origin.clone(), history: None, prebuilt: *kind == UploadKind::Prebuilt })
        }
    }
}

/// Clones `reference` of a repository, or its default branch, into the empty directory `target`.
pub(crate) async fn clone_repository(
    repository: &str,
    reference: Option<&str>,
    target: &Path,
    config: &Config,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<Fetched, Stop> {
    let address = address::Address::parse(repository)?;
    let (origin, history) = clone::clone(address, reference, target, config, recorder, cancel).await?;
    Ok(Fetched { origin, history: Some(history), prebuilt: false })
}

fn archive_stop(error: ArchiveError) -> Stop {
    match error {
        ArchiveError::Unusable(reason) => {
            let cause = format!("the archive is not usable: {reason}");
            Stop::author(Failure::new(FailureCode::SourceArchive, cause).fix("upload it again"))
        }
        ArchiveError::Store(error) => error.into(),
        ArchiveError::Disk(error) => disk("cannot keep the archive")(error),
    }
}
