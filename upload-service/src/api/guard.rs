//! Requests that are not meant for us, or not made by us: DNS rebinding and cross-site requests.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::App;
use crate::problem::ApiError;

/// Names of this machine, which no other can have.
const LOOPBACK: &[&str] = &["127.0.0.1", "localhost", "[::1]"];

/// The hosts under which the service is reached.
#[derive(Debug)]
pub(crate) struct Hosts {
    port: u16,
    configured: Vec<String>,
}

/// What a browser says about the page that caused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browser {
    /// The page is ours.
    Ours,
    /// Nothing: it is no browser, or a person followed a link or typed an address.
    Silent,
}

impl Hosts {
    pub(crate) fn new(address: SocketAddr, configured: &[String]) -> Self {
        let configured = configured.iter().map(|host| host.trim().to_ascii_lowercase()).collect();
        Self { port: address.port(), configured }
    }

    /// The port under which the service listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether `host`, as it stands in a `Host` header, is ours.
    fn are_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host.as_str(), Some(80)),
        };
        let configured = |known: &String| *known == host || known == name;
        self.configured.iter().any(configured) || (LOOPBACK.contains(&name) && port == Some(self.port))
    }
}

/// Refuses what comes for a foreign host (the name may have been rebound to this address) or from a foreign
/// page, and notes for the handlers what the browser says.
pub(super) async fn foreign(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let host = host(&request).ok_or_else(|| ApiError::ForeignHost(String::new()))?;
    if !app.hosts.are_ours(&host) {
        return Err(ApiError::ForeignHost(host));
    }
    let browser = browser(&app.hosts, request.method(), request.headers()).ok_or(ApiError::ForeignOrigin)?;
    request.extensions_mut().insert(browser);
    Ok(next.run(request).await)
}

/// The host that a request is for: of several, or one that is no text, none.
pub(super) fn host(request: &Request) -> Option<String> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().to_owned());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().ok()?.to_owned()),
        _ => None,
    }
}

/// Whether the client speaks TLS, to a load balancer before us if not to us. Who lies about it only gets a
/// link or a cookie that is of no use to them.
pub(super) fn is_over_tls(headers: &HeaderMap) -> bool {
    headers
        .get("x-forwarded-proto")
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// What the browser says, if the request may be done at all.
fn browser(hosts: &Hosts, method: &Method, headers: &HeaderMap) -> Option<Browser> {
    let mut verdict = Browser::Silent;
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok()?;
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
        if !hosts.are_ours(host) {
            return None;
        }
        verdict = Browser::Ours;
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"none") => {}
        Some(b"same-origin") => verdict = Browser::Ours,
        // A link to a page may stand anywhere; to do something it takes a page of ours.
        Some(_) if method.is_safe() => {}
        Some(_) => return None,
    }
    Some(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(port: u16) -> Hosts {
        let configured = ["deploy.example.org".to_owned(), "10.0.0.1:9000".to_owned()];
        Hosts::new(SocketAddr::from(([127, 0, 0, 1], port)), &configured)
    }

    #[test]
    fn only_our_hosts_are_ours() {
        for host in [
            "127.0.0.1:8081",
            "localhost:8081",
            "LOCALHOST:8081",
            "[::1]:8081",
            "deploy.example.org",
            "deploy.example.org:443",
            "10.0.0.1:9000",
        ] {
            assert!(hosts(8081).are_ours(host), "{host}");
        }
        for host in [
            "",
            "localhost",
            "localhost:8080",
            "localhost:x",
            "evil.test:8081",
            "blog.localhost:8081",
            "10.0.0.1",
            "10.0.0.1:8081",
            "127.0.0.1:8081:8081",
            "user@localhost:8081",
            "[::2]:8081",
        ] {
            assert!(!hosts(8081).are_ours(host), "{host}");
        }
        assert!(hosts(80).are_ours("localhost"));
        assert!(hosts(80).are_ours("[::1]"));
    }

    #[test]
    fn browsers_are_believed_about_their_pages() {
        let check = |method: Method, list: &[(&'static str, &'static str)], expected| {
            let headers = list.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            assert_eq!(browser(&hosts(8081), &method, &headers.collect()), expected, "{method} {list:?}");
        };
        check(Method::POST, &[], Some(Browser::Silent));
        check(Method::POST, &[("origin", "http://localhost:8081")], Some(Browser::Ours));
        check(Method::POST, &[("origin", "http://blog.localhost:8080")], None);
        check(Method::GET, &[("origin", "http://evil.test")], None);
        check(Method::POST, &[("origin", "null")], None);
        check(Method::POST, &[("sec-fetch-site", "same-origin")], Some(Browser::Ours));
        check(Method::POST, &[("sec-fetch-site", "cross-site")], None);
        check(Method::POST, &[("sec-fetch-site", "same-site")], None);
        check(Method::GET, &[("sec-fetch-site", "cross-site")], Some(Browser::Silent));
        check(Method::GET, &[("sec-fetch-site", "none")], Some(Browser::Silent));
        let mixed = [("origin", "http://evil.test"), ("sec-fetch-site", "same-origin")];
        check(Method::POST, &mixed, None);
    }
}
