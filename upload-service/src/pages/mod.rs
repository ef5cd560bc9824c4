//! Plain pages for people: readable without JavaScript, live with it.

mod deployment;
mod list;
mod login;
mod times;

use askama::Template;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;

pub(crate) use login::login_page;

use crate::api::App;
use crate::problem::ApiError;

/// Everything that a page uses is ours, and nothing else is loaded, run or asked.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("../../static/app.css");
const SCRIPT: &str = include_str!("../../static/log.js");

/// The pages and what they are made of. Pages are for people with a session.
pub(crate) fn router(app: &App) -> Router<App> {
    let pages = Router::new()
        .route("/", get(list::page))
        .route("/deployments/{id}", get(deployment::page))
        .layer(map_response(protected))
        .layer(from_fn_with_state(app.clone(), crate::api::for_pages));
    Router::new()
        .merge(pages)
        .route("/static/app.css", get(async || file("text/css; charset=utf-8", STYLE)))
        .route("/static/log.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    title: String,
    detail: String,
}

/// The page that a template makes.
fn rendered(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(error) => ApiError::Internal(error.into()).into_response(),
    }
}

/// What went wrong, as a page.
fn problem(error: &ApiError) -> Response {
    let problem = error.problem();
    rendered(error.status(), &ProblemPage { title: problem.title, detail: problem.detail })
}

async fn protected(response: Response) -> Response {
    with_policy(response)
}

/// A page as it may leave: not stored, not framed, with nothing foreign in it. `same-origin` keeps addresses
/// from sites that are linked, and `Origin` in forms, which `no-referrer` would take away.
fn with_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
