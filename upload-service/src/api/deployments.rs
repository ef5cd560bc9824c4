//! `GET /v1/deployments` and `GET /v1/deployments/{id}`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use gitdeploy_core::{DeploymentId, ProjectId};
use serde::Deserialize;

use super::{App, DeploymentList, DeploymentView};
use crate::catalog::{Deployment, Filter};
use crate::control::Control;
use crate::problem::ApiError;

/// How many deployments a part of the list has, and at most.
const LIMITS: (u32, u32) = (50, 200);

/// How many characters of an id may stand for all of it.
const SHORTEST_PREFIX: usize = 4;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    project: Option<String>,
    state: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<DeploymentList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::invalid("query", error.body_text()))?;
    let (usual, most) = LIMITS;
    let limit = query.limit.unwrap_or(usual);
    if limit == 0 || limit > most {
        return Err(ApiError::invalid("query.limit", format!("`limit` is {limit}; it must be 1 to {most}")));
    }
    let filter = Filter {
        project: parsed::<ProjectId>("project", query.project)?,
        state: parsed("state", query.state)?,
        after: parsed::<DeploymentId>("cursor", query.after)?,
        limit,
    };
    let page = app.control.catalog.list(filter).await?;
    let sites = &app.control.config.sites_url;
    let items = page.items.into_iter().map(|deployment| DeploymentView::new(deployment, sites)).collect();
    Ok(Json(DeploymentList { items, next: page.next }))
}

pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<DeploymentView>, ApiError> {
    let deployment = find(&app.control, &id).await?;
    Ok(Json(DeploymentView::new(deployment, &app.control.config.sites_url)))
}

/// The deployment with this id, or the only one whose id starts so.
pub(crate) async fn find(control: &Control, text: &str) -> Result<Deployment, ApiError> {
    let missing = || ApiError::NotFound { what: "deployment", name: text.to_owned() };
    if let Ok(id) = text.parse() {
        return control.catalog.get(&id).await?.ok_or_else(missing);
    }
    let is_prefix = text.len() >= SHORTEST_PREFIX && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_prefix {
        return Err(missing());
    }
    let mut found = control.catalog.with_prefix(text).await?;
    match (found.pop(), found.pop()) {
        (Some(deployment), None) => Ok(deployment),
        (None, _) => Err(missing()),
        (Some(_), Some(_)) => {
            let detail = format!("the ids of several deployments start with `{text}`");
            Err(ApiError::invalid("deployment.ambiguous", detail).hint("give more of the id"))
        }
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    what: &'static str,
    text: Option<String>,
) -> Result<Option<T>, ApiError> {
    let code = match what {
        "project" => "project.name",
        "state" => "query.state",
        _ => "query.after",
    };
    text.filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|error: T::Err| ApiError::invalid(code, error.to_string())))
        .transpose()
}
