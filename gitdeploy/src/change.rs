//! `gitdeploy promote`, `rollback` and `cancel`.

use std::process::ExitCode;

use upload_service::api::DeploymentView;

use crate::cli::{Cancel, Promote, Rollback};
use crate::client::Client;
use crate::view::print;

/// Makes a deployment the production of its project, and prints the project's address.
pub(crate) async fn promote(promote: Promote) -> anyhow::Result<ExitCode> {
    let client = Client::find(promote.platform)?;
    moved(&client, client.promote(&promote.id).await?).await
}

/// Makes the deployment before the one in production the production of a project, and prints its address.
pub(crate) async fn rollback(rollback: Rollback) -> anyhow::Result<ExitCode> {
    let client = Client::find(rollback.platform)?;
    let projects = client.projects().await?.items;
    // Of two who go back at the same time one does.
    let from = projects.into_iter().find(|project| project.project == rollback.project);
    let from = from.and_then(|project| project.production);
    moved(&client, client.rollback(rollback.project.as_str(), from).await?).await
}

/// Cancels a deployment. It has ended, or is about to, when this returns.
pub(crate) async fn cancel(cancel: Cancel) -> anyhow::Result<ExitCode> {
    let client = Client::find(cancel.platform)?;
    let deployment = client.cancel(&cancel.id).await?;
    let id = &deployment.id;
    if deployment.state.is_final() {
        anstream::eprintln!("{id} is {}", deployment.state);
    } else {
        anstream::eprintln!("{id} is being canceled; `gitdeploy logs {id} -f` shows its end");
    }
    Ok(ExitCode::SUCCESS)
}

async fn moved(client: &Client, deployment: DeploymentView) -> anyhow::Result<ExitCode> {
    anstream::eprintln!("{} leads to {}", deployment.project, deployment.id);
    let projects = client.projects().await?;
    let url = projects.items.into_iter().find(|project| project.project == deployment.project);
    print(&url.map_or(deployment.url, |project| project.url))?;
    Ok(ExitCode::SUCCESS)
}
