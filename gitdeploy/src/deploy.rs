//! Deploys a source and shows how it goes.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use build_server::pack::{Packed, pack_prebuilt, pack_source, root_below};
use gitdeploy_bus::Position;
use gitdeploy_core::event::Outcome;
use gitdeploy_core::spec::UploadKind;
use upload_service::api::{CreateDeployment, CreateSettings, DeploymentView};
use upload_service::catalog::Target;

use crate::cli::{Build, Deploy};
use crate::client::{Archive, Client};
use crate::ended::Ended;
use crate::exit;
use crate::source::{Source, SourceError};
use crate::view::View;

/// How often, and how many times, a deployment is looked at that has ended but is not concluded yet.
const CONCLUDE: (Duration, u32) = (Duration::from_millis(50), 600);

/// `gitdeploy deploy`.
pub(crate) async fn run(deploy: Deploy) -> anyhow::Result<ExitCode> {
    let source = match (deploy.prebuilt, deploy.source) {
        (Some(directory), _) => Source::prebuilt(directory)?,
        (None, source) => Source::parse(&source.unwrap_or_default())?,
    };
    let data_dir = deploy.platform.data_dir.clone();
    let client = Client::find(deploy.platform)?;
    let request = Request { source: &source, build: &deploy.build, data_dir: &data_dir };
    let mut view = View::new(deploy.json);
    let ended = tokio::select! {
        ended = follow(&client, &request, &mut view) => ended?,
        _ = tokio::signal::ctrl_c() => {
            view.left();
            return Ok(ExitCode::from(exit::CANCELED));
        }
    };
    if ended.exit_code == 0 {
        view.url(&ended)?;
    }
    Ok(ExitCode::from(ended.exit_code))
}

/// What is to be deployed.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) source: &'a Source,
    pub(crate) build: &'a Build,
    /// The data directory, which is never packed.
    pub(crate) data_dir: &'a Path,
}

/// Deploys and shows the build until it has ended.
pub(crate) async fn follow(client: &Client, request: &Request<'_>, view: &mut View) -> anyhow::Result<Ended> {
    let deployment = start(client, request, view).await?;
    view.deployment(&deployment);
    let mut events = client.events(deployment.id.as_str(), Position::START, true);
    let mut outcome = None;
    while let Some(event) = events.next().await? {
        outcome = event.event.end().map(|end| end.state).or(outcome);
        view.event(&event);
    }
    let deployment = concluded(client, deployment).await?;
    let platform = outcome == Some(Outcome::PlatformError);
    let exit_code = exit::of_state(deployment.state, platform);
    let ended = Ended { deployment, exit_code };
    view.ended(&ended);
    Ok(ended)
}

async fn start(client: &Client, request: &Request<'_>, view: &mut View) -> anyhow::Result<DeploymentView> {
    let Request { source, build, data_dir } = request;
    let target = if build.preview { Target::Preview } else { Target::Production };
    let settings = &build.settings;
    let (directory, kind) = match source {
        Source::Git(address) => {
            let request = CreateDeployment {
                git: address.clone(),
                reference: settings.reference.clone(),
                project: build.project.as_ref().map(ToString::to_string),
                root: settings.root.clone(),
                settings: CreateSettings {
                    install: settings.install.clone(),
                    command: settings.command.clone(),
                    node: settings.node.clone(),
                    output: settings.output.clone(),
                },
                target,
            };
            return Ok(client.deploy_git(&request).await?);
        }
        Source::Directory(directory) => (directory, UploadKind::Source),
        Source::Prebuilt(directory) => (directory, UploadKind::Prebuilt),
    };
    if settings.reference.is_some() {
        return Err(SourceError::ReferenceOfDirectory.into());
    }
    let project = match &build.project {
        Some(project) => project.clone(),
        None => Source::project(directory)?,
    };
    let archive = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    let packed = pack(directory, kind, data_dir, archive.path()).await?;
    if packed.uncommitted_changes {
        view.note("there are uncommitted changes; the commit that is checked out is deployed, without them");
    }
    let target = if build.preview { "preview" } else { "production" };
    let fields = vec![
        ("project", Some(project.to_string())),
        ("root", root_below(packed.root, settings.root.as_deref())),
        ("ref", packed.origin.reference),
        ("commit", packed.origin.commit),
        ("message", packed.origin.message),
        ("repository", packed.origin.repository),
        ("install", settings.install.clone()),
        ("command", settings.command.clone()),
        ("node", settings.node.clone()),
        ("output", settings.output.clone()),
        ("target", Some(target.to_owned())),
    ];
    Ok(client.deploy_archive(Archive { file: archive.path(), kind, fields }).await?)
}

async fn pack(directory: &Path, kind: UploadKind, data_dir: &Path, archive: &Path) -> anyhow::Result<Packed> {
    let (directory, data, archive) = (directory.to_owned(), data_dir.to_owned(), archive.to_owned());
    let packed = tokio::task::spawn_blocking(move || {
        let file = std::io::BufWriter::new(std::fs::File::create(archive)?);
        match kind {
            UploadKind::Source => pack_source(&directory, &data, file),
            UploadKind::Prebuilt => pack_prebuilt(&directory, &data, file),
        }
    });
    Ok(packed.await??)
}

/// Waits until what the end of the log announced has been done, such as moving the route.
async fn concluded(client: &Client, mut deployment: DeploymentView) -> anyhow::Result<DeploymentView> {
    let (pause, times) = CONCLUDE;
    for _ in 0..times {
        deployment = client.deployment(deployment.id.as_str()).await?;
        if deployment.state.is_final() {
            return Ok(deployment);
        }
        tokio::time::sleep(pause).await;
    }
    anyhow::bail!("the deployment {} has ended, but its state is still `{}`", deployment.id, deployment.state)
}
