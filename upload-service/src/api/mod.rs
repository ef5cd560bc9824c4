//! The HTTP interface: routes, and what stands before them.

mod archive;
mod builds;
mod cancel;
mod create;
mod deployments;
mod grants;
mod guard;
mod health;
mod login;
mod logs;
mod negotiate;
mod projects;
mod promote;
mod protection;
mod session;
mod upload;
mod view;

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

pub use crate::log::LogEvent;
pub use create::{CreateDeployment, CreateSettings};
pub use grants::{CreateGrant, GrantView};
pub use login::LoginLink;
pub use projects::ProjectView;
pub use promote::Rollback;
pub use protection::{ChangePassword, ChangeProtection, ProtectionView};
pub use upload::UploadQuery;
pub use view::{DeploymentList, DeploymentView, ProjectList, SourceView};

pub(crate) use deployments::find;
pub(crate) use guard::{Browser, Hosts};
pub(crate) use negotiate::wants_page;
pub(crate) use session::for_pages;

use crate::control::Control;
use crate::pages;
use crate::problem::ApiError;

/// What every handler can ask for.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) control: Control,
    pub(crate) hosts: Arc<Hosts>,
}

/// The service as it is reached at `address`.
pub fn router(control: Control, address: SocketAddr) -> Router {
    let hosts = Arc::new(Hosts::new(address, &control.config.hosts));
    let app = App { control, hosts };
    let v1 = Router::new()
        .route("/deployments", post(create::create).get(deployments::list))
        .route("/deployments/{id}", get(deployments::get))
        .route("/deployments/{id}/cancel", post(cancel::cancel))
        .route("/deployments/{id}/promote", post(promote::promote))
        .route("/deployments/{id}/logs", get(logs::logs))
        .route("/projects", get(projects::list))
        .route("/projects/{project}/rollback", post(promote::rollback))
        .route("/projects/{project}/protection", get(protection::get).patch(protection::change))
        .route("/grants", post(grants::create))
        .route("/login-links", post(login::link))
        .fallback(no_route)
        .method_not_allowed_fallback(method)
        .layer(from_fn_with_state(app.clone(), session::required));
    let guarded = Router::new()
        .nest("/v1", v1)
        .route("/login", get(login::page).post(login::with_token))
        .route("/logout", post(login::logout))
        .merge(pages::router(&app))
        .fallback(no_route)
        .method_not_allowed_fallback(method)
        .layer(from_fn_with_state(app.clone(), guard::foreign))
        .layer(map_response(never_stored));
    let builds = builds::router().fallback(no_route).method_not_allowed_fallback(method);
    Router::new()
        .merge(guarded)
        .nest(crate::lend::PATH, builds.layer(map_response(never_stored)))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/version", get(health::version))
        .layer(map_response(not_sniffed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(pages::by_accept))
        .layer(from_fn(told))
        .with_state(app)
}

async fn no_route(request: Request) -> ApiError {
    ApiError::NoRoute(request.uri().path().to_owned())
}

async fn method(request: Request) -> ApiError {
    ApiError::Method(request.method().clone())
}

async fn never_stored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn not_sniffed(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

#[expect(clippy::needless_pass_by_value, reason = "what `CatchPanicLayer` calls")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    ApiError::Internal(format!("a handler panicked: {}", text.unwrap_or("without a text")).into())
        .into_response()
}

/// Says what was asked and answered. The query is left out: it may hold a login code.
async fn told(request: Request, next: axum::middleware::Next) -> Response {
    let begin = std::time::Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::debug!(
        http.method = %method,
        http.path = path,
        http.status = response.status().as_u16(),
        duration_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        "{method} {path}"
    );
    response
}
