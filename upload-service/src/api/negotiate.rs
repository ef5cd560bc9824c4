//! Which form of a log a reader wants.

use axum::http::{HeaderMap, header};

/// The forms of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Ndjson,
    EventStream,
}

/// The first form in `Accept` that we have; plain text for whoever takes anything (RFC 9110 §12.5.1; weights
/// are passed over).
pub(super) fn form(headers: &HeaderMap) -> Form {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|range| match range.split(';').next().unwrap_or_default().trim() {
            "text/event-stream" => Some(Form::EventStream),
            "application/x-ndjson" | "application/ndjson" => Some(Form::Ndjson),
            "text/plain" | "text/*" => Some(Form::Text),
            _ => None,
        })
        .unwrap_or(Form::Text)
}
