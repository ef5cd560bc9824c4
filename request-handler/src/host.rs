//! From the host that a visitor asks for to the label of a site.

use std::fmt;
use std::str::FromStr;

use gitdeploy_core::OutputId;
use http::{HeaderMap, HeaderValue, Uri, header};
use serde::Deserialize;

/// The domain under whose labels sites are served, in lower case and without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Domain(String);

/// A text that is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a domain consists of labels of `a-z`, `0-9` and `-` with dots between them, and has no port")]
pub struct DomainError;

/// Why no site is looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    #[error("the request does not say in its `Host` header which site is wanted")]
    Missing,
    #[error("the request has more than one `Host` header")]
    Several,
    #[error("the host `{0}` is not a valid name")]
    Malformed(String),
    #[error("no site is served at `{0}`")]
    NotServed(String),
}

/// The label of the site that a request asks for.
///
/// A host that is not ours is answered with 404 rather than 421: 421 asks a client to try again over another
/// connection (RFC 9110 §15.5.20), and another connection leads to the same proxy.
pub(crate) fn label(uri: &Uri, headers: &HeaderMap, domain: &Domain) -> Result<OutputId, HostError> {
    let header = the_host(headers)?;
    // RFC 9112 §3.2.2: the host of a target in absolute form wins over the header, which must still be there.
    let asked = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => header.to_str().map_err(|_| malformed(&String::from_utf8_lossy(header.as_bytes())))?,
    };
    let host = without_port(asked).ok_or_else(|| malformed(asked))?;
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let Some(below) = host.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.')) else {
        return Err(if is_host(&host) { HostError::NotServed(host) } else { malformed(asked) });
    };
    if below.split('.').any(|label| label.parse::<OutputId>().is_err()) {
        return Err(malformed(asked));
    }
    below.parse().map_err(|_| HostError::NotServed(host.clone()))
}

impl Domain {
    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Domain {
    fn default() -> Self {
        Self("localhost".to_owned())
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        // The labels of a domain have the form that the ids of outputs have.
        if domain.split('.').any(|label| label.parse::<OutputId>().is_err()) {
            return Err(DomainError);
        }
        Ok(Self(domain))
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;

    fn try_from(text: String) -> Result<Self, DomainError> {
        text.parse()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The only `Host` header: RFC 9112 §3.2 wants 400 for none and for several.
fn the_host(headers: &HeaderMap) -> Result<&HeaderValue, HostError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().ok_or(HostError::Missing)?;
    if hosts.next().is_some() {
        return Err(HostError::Several);
    }
    if host.is_empty() {
        return Err(HostError::Missing);
    }
    Ok(host)
}

/// The host without its port; the brackets of an IPv6 address stay.
fn without_port(authority: &str) -> Option<&str> {
    let port_at = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(port_at);
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.starts_with(':'));
    is_port.then_some(host)
}

/// Whether a host could be somebody's: a name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    let name = |text: &str| {
        text.split('.').all(|label| !label.is_empty())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.map_or_else(|| name(host), |address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

fn malformed(host: &str) -> HostError {
    HostError::Malformed(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(uri: &str, hosts: &[&str]) -> Result<String, HostError> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        let domain = "sites.example".parse().unwrap();
        label(&uri.parse().unwrap(), &headers, &domain).map(|label| label.to_string())
    }

    #[test]
    fn the_label_stands_before_the_domain() {
        for host in [
            "blog.sites.example",
            "BLOG.Sites.Example:8080",
            "blog.sites.example.",
            "blog.sites.example.:80",
            "blog.sites.example:",
        ] {
            assert_eq!(ask("/", &[host]).as_deref(), Ok("blog"), "{host}");
        }
        assert_eq!(ask("/", &["dev--blog.sites.example"]).as_deref(), Ok("dev--blog"));
    }

    #[test]
    fn the_host_of_an_absolute_target_wins() {
        assert_eq!(ask("http://blog.sites.example/a", &["other.sites.example"]).as_deref(), Ok("blog"));
        assert_eq!(ask("http://blog.sites.example/a", &[]), Err(HostError::Missing));
        assert!(matches!(
            ask("http://me@blog.sites.example/", &["blog.sites.example"]),
            Err(HostError::Malformed(_))
        ));
    }

    #[test]
    fn a_host_that_is_not_ours_is_not_served() {
        for host in [
            "sites.example",
            "a.b.sites.example",
            "blog.other.example",
            "notsites.example",
            "127.0.0.1:8080",
            "[::1]:8080",
            "a_b.other.example",
        ] {
            assert!(matches!(ask("/", &[host]), Err(HostError::NotServed(_))), "{host}");
        }
    }

    #[test]
    fn a_host_that_is_none_is_malformed() {
        for host in [
            ".",
            ":80",
            ".sites.example",
            "a..sites.example",
            "-a.sites.example",
            "a_b.sites.example",
            "blog.sites.example:port",
            "blog.sites.example:80:80",
            "bl og.sites.example",
            "<script>.other.example",
            "blüg.sites.example",
            "[::1",
            "[::1]x",
            "blog.sites.example..",
            &format!("{}.sites.example", "x".repeat(64)),
        ] {
            assert!(matches!(ask("/", &[host]), Err(HostError::Malformed(_))), "{host}");
        }
    }

    #[test]
    fn there_is_exactly_one_host() {
        assert_eq!(ask("/", &[]), Err(HostError::Missing));
        assert_eq!(ask("/", &[""]), Err(HostError::Missing));
        assert_eq!(ask("/", &["a.sites.example", "a.sites.example"]), Err(HostError::Several));
    }
}
