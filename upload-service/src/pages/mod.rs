//! Plain pages for people: readable without JavaScript, live with it.

mod deployment;
mod list;
mod login;
mod sentence;
mod times;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;

pub(crate) use login::login_page;

use crate::api::{App, wants_page};
use crate::problem::{ApiError, Problem};
use sentence::{Sentence, capital};

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
        .layer(from_fn_with_state(app.clone(), crate::api::for_pages))
        .layer(map_response(for_people));
    Router::new()
        .merge(pages)
        .route("/static/app.css", get(async || file("text/css; charset=utf-8", STYLE)))
        .route("/static/log.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    title: String,
    detail: Sentence,
    hint: Option<Sentence>,
}

/// Answers a problem with a page to whoever asks for one. Programs get the problem itself.
pub(crate) async fn by_accept(request: Request, next: Next) -> Response {
    let wants_page = wants_page(request.headers());
    let response = next.run(request).await;
    if wants_page && response.extensions().get::<Problem>().is_some() {
        return for_people(response).await;
    }
    response
}

/// A page as it is, a problem as a page.
async fn for_people(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Some(problem) = parts.extensions.remove::<Problem>() else {
        return with_policy(Response::from_parts(parts, body));
    };
    if parts.status == StatusCode::UNAUTHORIZED {
        return Redirect::to("/login").into_response();
    }
    let page = ProblemPage {
        title: capital(&problem.title),
        detail: Sentence::of(&problem.detail),
        hint: problem.hint.as_deref().map(Sentence::of),
    };
    with_policy(rendered(parts.status, &page))
}

/// The page that a template makes.
fn rendered(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(error) => ApiError::Internal(error.into()).into_response(),
    }
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
