//! The operator's port: whether the process lives, whether it should get requests, and what it has counted.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cache_policy::CachePolicy;
use crate::handler::Handler;
use crate::readiness::Readiness;

/// How long the head of a request may take, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);

/// How long nothing is accepted after accepting has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// The content type that Prometheus expects.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the port tells of. There is a handler as soon as there is a store.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) readiness: Readiness,
    pub(crate) handler: Handler,
}

/// Answers on `listener` until `stopped`.
pub(crate) async fn serve(listener: TcpListener, told: Told, stopped: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            () = stopped.cancelled() => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of the operator");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let told = told.clone();
        let service = service_fn(move |request| {
            let answer = told.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD);
        let connection = http.serve_connection(TokioIo::new(socket), service);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the operator ended early");
            }
        });
    }
}

impl Told {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => match self.readiness.stage().objection() {
                None => text(StatusCode::OK, "ok\n"),
                Some(objection) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{objection}\n")),
            },
            "/metrics" => {
                let mut response = text(StatusCode::OK, self.handler.metrics_text());
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
                response
            }
            _ => text(StatusCode::NOT_FOUND, "there are `/healthz`, `/readyz` and `/metrics`\n"),
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, CachePolicy::Never.header());
    response
}
