//! `POST /v1/deployments` with an archive: received, checked and stored before anything else knows of it.

use std::io;
use std::path::Path;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::tokio::write::ZstdEncoder;
use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::header;
use futures_util::TryStreamExt as _;
use gitdeploy_core::keys;
use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::UploadKind;
use gitdeploy_store::{Content, Put};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_util::io::StreamReader;

use super::App;
use super::archive::check_archive;
use super::create::{build_settings, information, present, project, reference};
use crate::catalog::{Deployment, NewDeployment, Target};
use crate::config::Config;
use crate::control::Control;
use crate::git_address;
use crate::problem::ApiError;

/// How an archive is compressed on its way to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// The query that describes an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    /// Whether the archive is to be built or only published.
    pub kind: UploadKind,
    /// The project; absent: it is called like the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The directory of the project in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The branch that the archive was made from.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The commit that the archive was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of that commit's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The address of the repository that the archive was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// What the deployment is for.
    #[serde(default)]
    pub target: Target,
    /// The install command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// The build command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The version of Node.js, as `.nvmrc` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The output directory, relative to the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl Packing {
    /// The packing of a body of this type, if it is an archive.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/x-tar" => Some(Self::Plain),
            "application/x-tar+gzip" | "application/gzip" => Some(Self::Gzip),
            "application/x-tar+zstd" | "application/zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

pub(super) async fn from_archive(
    app: &App,
    packing: Packing,
    request: Request,
) -> Result<Deployment, ApiError> {
    let query = Query::<UploadQuery>::try_from_uri(request.uri())
        .map_err(|error| ApiError::invalid("query", error.body_text()))?;
    let (id, created) = app.control.next_id();
    let new = describe(&app.control.config, query.0, id, created)?;

    let limit = app.control.config.upload_limit_bytes;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|value| value.parse::<u64>().ok()).is_some_and(|bytes| bytes > limit) {
        return Err(ApiError::TooLarge { limit });
    }
    let directory = app.control.data.uploads();
    let file = NamedTempFile::new_in(directory).map_err(|error| ApiError::Internal(error.into()))?;
    receive(request.into_body(), packing, limit, file.path()).await?;
    let file = tokio::task::spawn_blocking(move || check_archive(file.path()).map(|()| file))
        .await
        .map_err(|error| ApiError::Internal(error.into()))??;
    // A client that hangs up now must not leave an archive without its deployment.
    let store = tokio::spawn(store(app.control.clone(), new, file));
    store.await.map_err(|error| ApiError::Internal(error.into()))?
}

fn describe(
    config: &Config,
    query: UploadQuery,
    id: gitdeploy_core::DeploymentId,
    created: jiff::Timestamp,
) -> Result<NewDeployment, ApiError> {
    let repository = repository(query.repository)?;
    Ok(NewDeployment {
        id,
        project: project(config, query.project, repository.as_deref())?,
        target: query.target,
        source: query.kind.into(),
        origin: Origin {
            reference: reference(query.reference)?,
            commit: present("commit", query.commit)?,
            message: information(query.message),
            repository,
        },
        settings: build_settings(query.root, query.install, query.command, query.node, query.output)?,
        created,
    })
}

/// The address that the archive comes from. It only informs: what is none is left out.
fn repository(address: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(address) = address else {
        return Ok(None);
    };
    match git_address::check(&address) {
        Ok(()) => present("repository", Some(address)),
        Err(error @ git_address::AddressError::Credentials) => {
            let detail = format!("the repository's address cannot be shown: {error}");
            Err(ApiError::invalid("git.address", detail).hint(error.hint()))
        }
        Err(_) => Ok(None),
    }
}

/// Writes the body to `path`, compressed with zstd. The limit holds for what was sent and for what it
/// unpacks to.
async fn receive(body: Body, packing: Packing, limit: u64, path: &Path) -> Result<(), ApiError> {
    let body = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let most = limit.saturating_add(1);
    let mut archive = unpacked(BufReader::new(body.take(most)), packing).take(most);
    let file = tokio::fs::OpenOptions::new().write(true).open(path).await;
    let file = file.map_err(|error| ApiError::Internal(error.into()))?;
    let mut packed = ZstdEncoder::new(file);
    let mut buffer = vec![0; 128 << 10];
    let mut size = 0;
    loop {
        let read = archive.read(&mut buffer).await.map_err(|error| unusable(&error))?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > limit {
            return Err(ApiError::TooLarge { limit });
        }
        packed.write_all(&buffer[..read]).await.map_err(|error| ApiError::Internal(error.into()))?;
    }
    packed.shutdown().await.map_err(|error| ApiError::Internal(error.into()))
}

fn unpacked(
    body: impl AsyncBufRead + Send + Unpin + 'static,
    packing: Packing,
) -> Box<dyn AsyncRead + Send + Unpin> {
    match packing {
        Packing::Plain => Box::new(body),
        Packing::Gzip => {
            let mut decoder = GzipDecoder::new(body);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Packing::Zstd => {
            let mut decoder = ZstdDecoder::new(body);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
    }
}

async fn store(control: Control, new: NewDeployment, file: NamedTempFile) -> Result<Deployment, ApiError> {
    let key = keys::upload(&new.id);
    let put = Put { content_type: Some("application/zstd".to_owned()), ..Put::default() };
    control.store.put(&key, Content::File(file.path().to_owned()), put).await?;
    match control.deploy(new).await {
        Ok(deployment) => Ok(deployment),
        Err(error) => {
            if let Err(error) = control.store.delete(&key).await {
                tracing::warn!(%error, key = %key, "an archive without a deployment stays");
            }
            Err(error.into())
        }
    }
}

pub(super) fn unusable(error: &io::Error) -> ApiError {
    ApiError::invalid(
        "upload.archive",
        format!("the body is no whole tar archive of the type it says: {error}"),
    )
}
