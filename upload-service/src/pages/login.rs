//! The page that asks for the token.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    reason: Option<&'static str>,
}

/// The form, with why an earlier try was refused.
pub(crate) fn login_page(status: StatusCode, reason: Option<&'static str>) -> Response {
    super::with_policy(super::rendered(status, &LoginPage { reason }))
}
