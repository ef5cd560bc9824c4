//! Which form of an answer a reader wants: the first in `Accept` that we have (RFC 9110 §12.5.1; weights are
//! passed over).

use axum::http::{HeaderMap, header};

/// The forms of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Ndjson,
    EventStream,
}

/// The form of a log; plain text for whoever takes anything.
pub(super) fn form(headers: &HeaderMap) -> Form {
    let form = ranges(headers).find_map(|range| match range {
        "text/event-stream" => Some(Form::EventStream),
        "application/x-ndjson" | "application/ndjson" => Some(Form::Ndjson),
        "text/plain" | "text/*" => Some(Form::Text),
        _ => None,
    });
    form.unwrap_or(Form::Text)
}

/// Whether a problem is to be a page: for browsers, which ask for one by name.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let page = ranges(headers).find_map(|range| match range {
        "text/html" | "application/xhtml+xml" => Some(true),
        "application/json" | "application/problem+json" => Some(false),
        _ => None,
    });
    page.unwrap_or(false)
}

fn ranges(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
}
