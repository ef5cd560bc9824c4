//! Asks for a page as a browser would, with a grant.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use gitdeploy_core::{Explanation, explanation, grant};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AGE, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;

use super::{ExplainError, Explained};

/// How long it may take until there is a connection, and an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_mins(1);

/// What a browser says. A cache on the way asks the proxy then, and does not answer by itself.
const AS_A_BROWSER: [(HeaderName, &str); 4] = [
    (ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8"),
    (ACCEPT_ENCODING, "gzip, br, zstd"),
    (CACHE_CONTROL, "no-cache"),
    (USER_AGENT, concat!("gitdeploy/", env!("CARGO_PKG_VERSION"))),
];

/// A page, and how it is asked for.
#[derive(Debug)]
pub(super) struct Page {
    url: Url,
    host: String,
    headers: HeaderMap,
}

impl Page {
    /// The page at an address. `headers` take the place of those of a browser.
    pub(super) fn parse(address: &str, headers: &[String]) -> Result<Self, ExplainError> {
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| ExplainError::NotAnAddress(address.to_owned()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let as_a_browser = AS_A_BROWSER.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let mut map: HeaderMap = as_a_browser.into_iter().collect();
        for line in headers {
            let (name, value) = header(line).ok_or_else(|| ExplainError::NotAHeader(line.clone()))?;
            map.insert(name, value);
        }
        Ok(Self { url, host, headers: map })
    }

    /// Its host, without a port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Asks for it, and follows no redirect. Of the body nothing is read.
    pub(super) async fn ask(self, grant: &str) -> Result<Explained, ExplainError> {
        let unreached = |error| self.unreached(&error);
        let request = self.client().map_err(unreached)?.get(self.url.clone()).headers(self.headers.clone());
        let response = request.header(grant::HEADER, grant).send().await.map_err(unreached)?;
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Ok(Explained {
            url: without_login(&self.url).to_string(),
            status: response.status().as_u16(),
            location: text(LOCATION),
            explanation: self.read(&response)?,
        })
    }

    fn read(&self, response: &Response) -> Result<Explanation, ExplainError> {
        let (host, status) = (self.host.clone(), response.status());
        let headers = response.headers();
        if let Some(header) = headers.get(explanation::HEADER) {
            let read = Explanation::read(header.as_bytes());
            return read.map_err(|error| ExplainError::Unreadable {
                host,
                status,
                reason: error.to_string(),
            });
        }
        // Only what comes from a cache has an age (RFC 9111 §5.1).
        Err(match headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()) {
            Some(age) => ExplainError::Cached { host, status, age },
            None => ExplainError::NotOurs { host, status },
        })
    }

    fn client(&self) -> reqwest::Result<Client> {
        let client = Client::builder().redirect(Policy::none()).connect_timeout(CONNECT).timeout(ANSWER);
        let name = self.host.trim_end_matches('.');
        if name != "localhost" && !name.ends_with(".localhost") {
            return client.build();
        }
        // As browsers do, and not every system: names below `localhost` are this machine (RFC 6761 §6.3).
        let ours = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        client.no_proxy().resolve_to_addrs(&self.host, &ours).build()
    }

    fn unreached(&self, error: &reqwest::Error) -> ExplainError {
        let reason = if error.is_timeout() {
            "it does not answer in time".to_owned()
        } else {
            // The innermost cause says what happened; the outer ones say that it did.
            let mut cause: &dyn std::error::Error = error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            cause.to_string()
        };
        ExplainError::Unreached { host: self.host.clone(), reason }
    }
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
}

/// The address as it may be shown.
fn without_login(url: &Url) -> Url {
    let mut url = url.clone();
    // An address that can have no login has none.
    url.set_username("").ok();
    url.set_password(None).ok();
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for (address, host) in [
            ("http://blog.localhost:8080/a?b#c", Some("blog.localhost")),
            ("https://Bücher.example", Some("xn--bcher-kva.example")),
            ("blog.localhost:8080/", None),
            ("blog.localhost", None),
            ("ftp://blog.localhost/", None),
            ("https://", None),
            ("", None),
        ] {
            let page = Page::parse(address, &[]).ok();
            assert_eq!(page.as_ref().map(Page::host), host, "{address}");
        }
    }

    #[test]
    fn headers_take_the_place_of_a_browsers() {
        let page = |header: &str| Page::parse("http://a.localhost/", &[header.to_owned()]);
        assert_eq!(page("Accept-Encoding:gzip").unwrap().headers[ACCEPT_ENCODING], "gzip");
        assert_eq!(page("accept-language: de, en").unwrap().headers["accept-language"], "de, en");
        for header in ["", "x", ": y", "a b: c", "x: \n"] {
            let refused = page(header).is_err();
            assert_eq!(refused, header != "x: \n", "{header:?}");
        }
        page("x: a\nb").unwrap_err();
    }
}
