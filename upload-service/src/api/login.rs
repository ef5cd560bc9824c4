//! How a person gets a session: by a one-time link, or by the token itself.

use axum::Json;
use axum::extract::{Form, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{App, guard, session};
use crate::access;
use crate::pages::login_page;
use crate::problem::ApiError;

/// A link that opens one session within ten minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginLink {
    /// The link.
    pub url: String,
}

#[derive(Deserialize)]
pub(super) struct LoginQuery {
    code: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    token: String,
}

/// `POST /v1/login-links`.
pub(super) async fn link(State(app): State<App>, request: Request) -> Result<Json<LoginLink>, ApiError> {
    let host = guard::host(&request).ok_or_else(|| ApiError::ForeignHost(String::new()))?;
    let code = app.control.new_login_code().await?;
    let scheme = if guard::is_over_tls(request.headers()) { "https" } else { "http" };
    Ok(Json(LoginLink { url: format!("{scheme}://{host}/login?code={code}") }))
}

/// `GET /login`.
pub(super) async fn page(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    Query(query): Query<LoginQuery>,
) -> Result<Response, ApiError> {
    // Programs that preview links ask with HEAD, which must not use the code up (RFC 9110 §9.2.1).
    let Some(code) = query.code.filter(|_| method == Method::GET) else {
        return Ok(login_page(StatusCode::OK, None));
    };
    if !access::use_code(&app.control.catalog, &code, Timestamp::now()).await? {
        let reason = "this link was used already or is older than ten minutes";
        return Ok(login_page(StatusCode::FORBIDDEN, Some(reason)));
    }
    Ok(enter(session::start(&app, &headers).await?))
}

/// `POST /login`.
pub(super) async fn with_token(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Result<Response, ApiError> {
    if !app.control.access.is_token(form.token.trim()) {
        return Ok(login_page(StatusCode::FORBIDDEN, Some("this is not the token")));
    }
    Ok(enter(session::start(&app, &headers).await?))
}

/// `POST /logout`.
pub(super) async fn logout(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let cookie = session::end(&app, &headers).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}

fn enter(cookie: String) -> Response {
    let headers = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, "no-store".to_owned())];
    (headers, Redirect::to("/")).into_response()
}
