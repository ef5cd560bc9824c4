//! A record of a request.

use http::{Request, header};
use percent_encoding::percent_decode_str;

use super::operation::Operation;

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who sent it, unless it was nobody.
    pub access_key: Option<String>,
    /// What kind of request it was.
    pub operation: Operation,
    /// The action that a policy has to allow for it.
    pub action: &'static str,
    /// The key of the object; for a listing its prefix; empty otherwise.
    pub key: String,
    /// Whether it had `If-Match`.
    pub if_match: bool,
    /// Whether it had `If-None-Match`.
    pub if_none_match: bool,
    /// The status of the answer; absent if the connection was cut before it.
    pub status: Option<u16>,
}

impl Call {
    pub(super) fn read<B>(request: &Request<B>) -> Self {
        let (uri, headers) = (request.uri(), request.headers());
        let operation = Operation::of(request.method(), uri, headers);
        let signed = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let in_header = signed.and_then(|value| value.split_once("Credential="));
        let in_header = in_header.and_then(|(_, credential)| credential.split('/').next()).map(str::to_owned);
        let in_query = || query(uri, "X-Amz-Credential")?.split('/').next().map(str::to_owned);
        let (_, key) = uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
        let key = match operation {
            Operation::ListObjects => query(uri, "prefix").unwrap_or_default(),
            _ => percent_decode_str(key).decode_utf8_lossy().into_owned(),
        };
        Self {
            access_key: in_header.or_else(in_query),
            operation,
            action: operation.action(),
            key,
            if_match: headers.contains_key(header::IF_MATCH),
            if_none_match: headers.contains_key(header::IF_NONE_MATCH),
            status: None,
        }
    }
}

/// A parameter of the query.
pub(super) fn query(uri: &http::Uri, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}
