//! Whose request it is: the operator's by token, or by the cookie of a session.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use gitdeploy_core::hash::Sha256;
use jiff::Timestamp;

use super::{App, Browser, guard};
use crate::access;
use crate::catalog::CatalogError;
use crate::problem::ApiError;

/// What the name of the cookie starts with. The port follows: cookies do not keep ports of a host apart, and
/// several platforms may run on one machine.
const SESSION: &str = "gitdeploy_session_";

/// Lets requests of the operator pass.
pub(super) async fn required(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if has_token(&app, request.headers()) {
        return Ok(next.run(request).await);
    }
    if !has_session(&app, request.headers()).await? {
        return Err(ApiError::Unauthorized);
    }
    // A browser sends the cookie along whoever caused the request, so it takes its word that it was a page
    // of ours.
    let ours = request.extensions().get::<Browser>() == Some(&Browser::Ours);
    if !request.method().is_safe() && !ours {
        return Err(ApiError::ForeignOrigin);
    }
    Ok(next.run(request).await)
}

/// Lets people with a session pass and shows the others where to get one.
pub(crate) async fn for_pages(State(app): State<App>, request: Request, next: Next) -> Response {
    match has_session(&app, request.headers()).await {
        Ok(true) => next.run(request).await,
        Ok(false) => Redirect::to("/login").into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Starts a session and returns the value of `Set-Cookie` for it.
pub(super) async fn start(app: &App, headers: &HeaderMap) -> Result<String, CatalogError> {
    let secret = access::secret();
    let now = Timestamp::now();
    let hash = Sha256::of(secret.as_bytes());
    app.control.catalog.add_session(hash, now, now + access::SESSION_LIFE).await?;
    Ok(cookie(app, headers, &secret, access::SESSION_LIFE.as_secs()))
}

/// Ends the session of a request and returns the value of `Set-Cookie` that removes its cookie.
pub(super) async fn end(app: &App, headers: &HeaderMap) -> Result<String, CatalogError> {
    if let Some(hash) = session(app, headers) {
        app.control.catalog.end_session(hash).await?;
    }
    Ok(cookie(app, headers, "", 0))
}

fn cookie(app: &App, headers: &HeaderMap, value: &str, seconds: i64) -> String {
    let name = name(app);
    let secure = if guard::is_over_tls(headers) { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn has_token(app: &App, headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = value.and_then(|value| value.split_once(' ')) else {
        return false;
    };
    scheme.eq_ignore_ascii_case("bearer") && app.control.access.is_token(token.trim())
}

async fn has_session(app: &App, headers: &HeaderMap) -> Result<bool, CatalogError> {
    match session(app, headers) {
        Some(hash) => app.control.catalog.has_session(hash, Timestamp::now()).await,
        None => Ok(false),
    }
}

fn session(app: &App, headers: &HeaderMap) -> Option<Sha256> {
    let name = name(app);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let secret = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, secret)| (found == name).then_some(secret))?;
    Some(Sha256::of(secret.as_bytes()))
}

fn name(app: &App) -> String {
    format!("{SESSION}{}", app.hosts.port())
}
