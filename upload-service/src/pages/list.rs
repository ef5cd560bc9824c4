//! The page that lists deployments.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use gitdeploy_core::DeploymentId;
use jiff::Timestamp;
use serde::Deserialize;

use super::times::ago;
use crate::api::App;
use crate::catalog::{Deployment, Filter, SourceKind};
use crate::config::SitesUrl;
use crate::problem::ApiError;

/// How many deployments a page shows.
const LIMIT: u32 = 50;

/// How much of a commit is shown.
const COMMIT: usize = 7;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    after: Option<DeploymentId>,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    rows: Vec<Row>,
    next: Option<DeploymentId>,
    /// Whether something is still to happen, so that the page is worth loading again.
    working: bool,
}

struct Row {
    id: DeploymentId,
    project: String,
    state: &'static str,
    words: &'static str,
    commit: Option<String>,
    /// Whether it did not come from a git server.
    uploaded: bool,
    message: String,
    created: Timestamp,
    ago: String,
    /// Where it can be seen, once it is ready.
    url: Option<String>,
    production: bool,
}

pub(super) async fn page(
    State(app): State<App>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::invalid("query", error.body_text()))?;
    let filter = Filter { after: query.after, limit: LIMIT, ..Filter::default() };
    let page = app.control.catalog.list(filter).await?;
    let working = page.items.iter().any(|deployment| !deployment.state.is_final());
    let (now, sites) = (Timestamp::now(), &app.control.config.sites_url);
    let rows = page.items.into_iter().map(|deployment| row(deployment, sites, now)).collect();
    Ok(super::rendered(StatusCode::OK, &ListPage { rows, next: page.next, working }))
}

fn row(deployment: Deployment, sites: &SitesUrl, now: Timestamp) -> Row {
    let is_ready = deployment.state == gitdeploy_core::State::Ready;
    let label = if deployment.production { deployment.project.as_str() } else { deployment.id.as_str() };
    Row {
        url: is_ready.then(|| sites.of(label)),
        project: deployment.project.to_string(),
        state: deployment.state.as_str(),
        words: words(deployment.state),
        commit: commit(&deployment),
        uploaded: deployment.source != SourceKind::Git,
        message: deployment.origin.message.unwrap_or_default(),
        created: deployment.created,
        ago: ago(deployment.created, now),
        production: deployment.production,
        id: deployment.id,
    }
}

/// What was deployed in a few characters: the commit, else the reference.
pub(super) fn commit(deployment: &Deployment) -> Option<String> {
    let origin = &deployment.origin;
    let commit = origin.commit.as_ref().map(|commit| commit.chars().take(COMMIT).collect());
    commit.or_else(|| origin.reference.clone())
}

/// The state as people write it.
pub(super) fn words(state: gitdeploy_core::State) -> &'static str {
    match state {
        gitdeploy_core::State::TimedOut => "timed out",
        other => other.as_str(),
    }
}
