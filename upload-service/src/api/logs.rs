//! `GET /v1/deployments/{id}/logs`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as Sent, KeepAlive};
use axum::response::{IntoResponse as _, Response, Sse};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future};
use gitdeploy_bus::{Position, PositionError};
use gitdeploy_core::Body as What;
use serde::Deserialize;

use super::negotiate::{Form, form};
use super::{App, find};
use crate::log::{Events, Follow, LogEvent, line};
use crate::problem::ApiError;

/// How often a quiet stream shows that it lives: less than proxies wait.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LogQuery {
    from: Option<String>,
    follow: Option<bool>,
}

pub(super) async fn logs(
    State(app): State<App>,
    Path(id): Path<String>,
    query: Result<Query<LogQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::invalid("query", error.body_text()))?;
    let from = place(&headers, query.from.as_deref())?;
    let form = form(&headers);
    let follow =
        if form == Form::EventStream || query.follow == Some(true) { Follow::UntilEnd } else { Follow::No };
    let deployment = find(&app.control, &id).await?;
    let settled = deployment.state.is_final();
    let events = app.control.events(&deployment, from, follow).await?;
    let events = events.take_until(app.control.stopping.clone().cancelled_owned()).boxed();
    Ok(match form {
        Form::Text => streamed("text/plain; charset=utf-8", events, |event| line(&event.event)),
        Form::Ndjson => streamed("application/x-ndjson", events, |event| format!("{}\n", event.to_json())),
        Form::EventStream => event_stream(events, settled).await,
    })
}

/// What the reader has seen last: as the browser says when it connects again (WHATWG HTML §9.2.4), or as the
/// query says.
fn place(headers: &HeaderMap, from: Option<&str>) -> Result<Position, ApiError> {
    let (name, text) = match headers.get("last-event-id") {
        Some(value) => ("last_event_id", value.to_str().unwrap_or_default().trim()),
        None => ("query", from.unwrap_or("0")),
    };
    text.parse().map_err(|error: PositionError| ApiError::invalid(name, error.to_string()))
}

fn streamed(media_type: &'static str, events: Events, text: fn(&LogEvent) -> String) -> Response {
    let pieces = events
        .map_ok(move |event| Bytes::from(text(&event)))
        .try_filter(|piece| future::ready(!piece.is_empty()))
        .inspect_err(|error| tracing::warn!(%error, "a log breaks off"));
    ([(header::CONTENT_TYPE, media_type)], Body::from_stream(pieces)).into_response()
}

/// Server-sent events. To a reader of a finished log who has everything the answer is 204, on which a browser
/// does not connect again.
async fn event_stream(events: Events, settled: bool) -> Response {
    let mut events = events.peekable();
    if settled && std::pin::Pin::new(&mut events).peek().await.is_none() {
        return StatusCode::NO_CONTENT.into_response();
    }
    let greeting = futures_util::stream::once(future::ready(Sent::default().retry(RETRY).comment("log")));
    let sent = events
        .inspect_err(|error| tracing::warn!(%error, "a log breaks off"))
        // A stream that breaks off is resumed by the browser.
        .take_while(|event| future::ready(event.is_ok()))
        .filter_map(|event| future::ready(event.ok()))
        .map(|event| {
            let id = event.position().to_string();
            Sent::default().id(id).event(kind(&event.event.body)).data(event.to_json())
        });
    let stream = greeting.chain(sent).map(Ok::<_, Infallible>);
    let mut response = Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // Else nginx collects what is meant to be seen at once.
    response.headers_mut().insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    response
}

fn kind(body: &What) -> &'static str {
    match body {
        What::Phase(_) => "phase",
        What::Plan { .. } => "plan",
        What::Log(_) => "log",
        What::Gap { .. } => "gap",
        What::Notice { .. } => "notice",
        What::Progress { .. } => "progress",
        What::End(_) => "end",
    }
}
