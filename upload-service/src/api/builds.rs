//! `POST /internal/v1/builds/{id}/claim` and `…/credentials`: what builders fetch that are not processes of
//! this machine.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, header};
use axum::routing::post;
use gitdeploy_core::DeploymentId;
use gitdeploy_core::claim::{Claim, ClaimRequest, Credentials};
use gitdeploy_core::hash::Sha256;

use super::App;
use crate::catalog::Deployment;
use crate::lend::Lender;
use crate::problem::ApiError;

/// How long a request may be, in bytes.
const LONGEST: usize = 4 << 10;

/// The routes of builders. Whoever asks has to have the token of its attempt; sessions and the operator's token
/// are of no use here, and so is a page that makes a browser ask: the host does not matter.
pub(super) fn router() -> axum::Router<App> {
    axum::Router::new()
        .route("/{id}/claim", post(claim))
        .route("/{id}/credentials", post(credentials))
        .layer(DefaultBodyLimit::max(LONGEST))
}

async fn claim(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Claim>, ApiError> {
    let lender = lender(&app)?;
    let deployment = admitted(&app, lender, &id, &headers, body).await?;
    let spec = app.control.spec(&deployment).await;
    let claim = lender.claim(&deployment, &spec).await?;
    tracing::info!(deployment.id = %deployment.id, attempt = deployment.attempt.0, "the builder has claimed");
    Ok(Json(claim))
}

/// `null` where builders are not lent any credentials.
async fn credentials(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Option<Credentials>>, ApiError> {
    let lender = lender(&app)?;
    let deployment = admitted(&app, lender, &id, &headers, body).await?;
    let spec = app.control.spec(&deployment).await;
    Ok(Json(lender.credentials(&deployment, &spec).await?))
}

fn lender(app: &App) -> Result<&Lender, ApiError> {
    app.control.lender.as_deref().ok_or_else(|| ApiError::NoRoute(crate::lend::PATH.to_owned()))
}

/// The deployment whose running attempt the request comes from. Who has no token learns nothing about
/// deployments, not even whether they exist.
async fn admitted(
    app: &App,
    lender: &Lender,
    id: &str,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Deployment, ApiError> {
    let body = body.map_err(|error| ApiError::Body(error.body_text()))?;
    let request: ClaimRequest =
        serde_json::from_slice(&body).map_err(|error| ApiError::Body(error.to_string()))?;
    let id: DeploymentId = id.parse().map_err(|_| ApiError::NoClaim)?;
    if !bearer(headers).is_some_and(|token| lender.is_token(token, &id, request.attempt)) {
        return Err(ApiError::NoClaim);
    }
    let session: Sha256 = request
        .session
        .parse()
        .map_err(|_| ApiError::invalid("claim.session", "the session is not 256 bits in hexadecimal"))?;
    let session = Sha256::of(session.as_bytes());

    let catalog = &app.control.catalog;
    let runs = async || {
        let found = catalog.get(&id).await?;
        let ours = |found: &Deployment| found.attempt == request.attempt && runs(found);
        Ok::<_, ApiError>(found.is_some_and(|found| ours(&found)))
    };
    if !runs().await? {
        return Err(ApiError::ClaimOver);
    }
    match catalog.bind(&id, request.attempt, session).await? {
        Some(deployment) => Ok(deployment),
        None if runs().await? => {
            tracing::warn!(deployment.id = %id, "a second builder wanted to claim a build; it was refused");
            Err(ApiError::ClaimTaken)
        }
        None => Err(ApiError::ClaimOver),
    }
}

/// Whether a builder has something to do: one that is to stop must not publish any more.
fn runs(deployment: &Deployment) -> bool {
    deployment.state != gitdeploy_core::State::Queued
        && !deployment.state.is_final()
        && !deployment.cancel_requested
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
