//! `GET` and `PATCH /v1/projects/{project}/protection`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use gitdeploy_core::{Password, ProjectId, Protection};
use serde::{Deserialize, Serialize};

use super::App;
use crate::problem::ApiError;

/// Who may see a project's site, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionView {
    /// Nobody: visitors see that the site is being worked on.
    pub maintenance: bool,
    /// Who knows the password. It is not kept, so it cannot be told.
    pub password: bool,
}

/// What is to change. What is absent stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeProtection {
    /// Whether visitors see that the site is being worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<bool>,
    /// The password.
    #[serde(skip_serializing_if = "ChangePassword::is_absent")]
    pub password: ChangePassword,
}

/// What becomes of a password.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<String>", into = "Option<String>")]
pub enum ChangePassword {
    /// It stays, if there is one; it is not spoken of.
    #[default]
    Stay,
    /// There is none: `null`.
    Remove,
    /// It is this.
    Set(String),
}

pub(super) async fn get(
    State(app): State<App>,
    Path(project): Path<String>,
) -> Result<Json<ProtectionView>, ApiError> {
    Ok(Json(app.control.protection(&named(&project)?).await?.into()))
}

pub(super) async fn change(
    State(app): State<App>,
    Path(project): Path<String>,
    body: Bytes,
) -> Result<Json<ProtectionView>, ApiError> {
    let project = named(&project)?;
    let change: ChangeProtection =
        serde_json::from_slice(&body).map_err(|error| ApiError::Body(error.to_string()))?;
    let password = match change.password {
        ChangePassword::Stay => None,
        ChangePassword::Remove => Some(None),
        ChangePassword::Set(password) => Some(Some(hashed(password).await?)),
    };
    let control = app.control.clone();
    let task = tokio::spawn(async move {
        let change = |protection: &mut Protection| {
            protection.maintenance = change.maintenance.unwrap_or(protection.maintenance);
            if let Some(password) = &password {
                protection.password.clone_from(password);
            }
        };
        control.protect(&project, change).await
    });
    // Who goes away leaves nothing half done.
    let protection = task.await.map_err(|error| ApiError::Internal(error.into()))??;
    Ok(Json(protection.into()))
}

fn named(project: &str) -> Result<ProjectId, ApiError> {
    project.parse().map_err(|_| ApiError::NotFound { what: "project", name: project.to_owned() })
}

async fn hashed(password: String) -> Result<Password, ApiError> {
    let hash = move || {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).expect("the system has random numbers");
        Password::new(&password, salt)
    };
    let hashed = tokio::task::spawn_blocking(hash).await.map_err(|error| ApiError::Internal(error.into()))?;
    hashed.map_err(|error| ApiError::invalid("protection.password", error.to_string()))
}

impl ChangePassword {
    fn is_absent(&self) -> bool {
        *self == Self::Stay
    }
}

impl From<Option<String>> for ChangePassword {
    fn from(password: Option<String>) -> Self {
        password.map_or(Self::Remove, Self::Set)
    }
}

impl From<ChangePassword> for Option<String> {
    fn from(change: ChangePassword) -> Self {
        match change {
            ChangePassword::Stay | ChangePassword::Remove => None,
            ChangePassword::Set(password) => Some(password),
        }
    }
}

impl From<Protection> for ProtectionView {
    fn from(protection: Protection) -> Self {
        Self { maintenance: protection.maintenance, password: protection.password.is_some() }
    }
}
