//! From the host that a visitor asks for to the name by which its site is looked up.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use gitdeploy_core::OutputId;
use http::{HeaderMap, HeaderValue, Uri, header};
use idna::AsciiDenyList;
use serde::Deserialize;

use crate::site_name::SiteName;

/// The longest name of a host, in bytes (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;

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

/// A host that a site may be served at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    /// The host in lower case and in ASCII, without its port.
    pub(crate) text: Cow<'a, str>,
    /// What it is looked up by.
    pub(crate) site: SiteName,
}

/// The host that a request asks for.
///
/// A host that is not ours is answered with 404 rather than 421: 421 asks a client to try again over another
/// connection (RFC 9110 §15.5.20), and another connection leads to the same proxy.
pub(crate) fn asked<'a>(
    uri: &'a Uri,
    headers: &'a HeaderMap,
    domain: &Domain,
) -> Result<Host<'a>, HostError> {
    let header = the_host(headers)?;
    // RFC 9112 §3.2.2: the host of a target in absolute form wins over the header, which must still be there.
    let asked = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => str::from_utf8(header.as_bytes())
            .map_err(|_| malformed(&String::from_utf8_lossy(header.as_bytes())))?,
    };
    let text = without_port(asked).and_then(in_ascii).ok_or_else(|| malformed(asked))?;
    if let Some(below) = text.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.')) {
        return match below.parse() {
            Ok(label) => Ok(Host { site: SiteName::Label(label), text }),
            Err(_) if below.split('.').all(|label| label.parse::<OutputId>().is_ok()) => {
                Err(HostError::NotServed(text.into_owned()))
            }
            Err(_) => Err(malformed(asked)),
        };
    }
    if text.len() > MAX_HOST || !is_host(&text) {
        return Err(malformed(asked));
    }
    // A name without a dot is one that a neighbour gives us, and would be a label's besides.
    if text == domain.as_str() || is_address(&text) || !text.contains('.') {
        return Err(HostError::NotServed(text.into_owned()));
    }
    Ok(Host { site: SiteName::Custom((&*text).into()), text })
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
    let bytes = authority.as_bytes();
    let port_at = match bytes.iter().rposition(|byte| *byte == b']') {
        Some(bracket) => bracket + 1,
        None => bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len()),
    };
    let (host, port) = authority.split_at(port_at);
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.starts_with(':'));
    is_port.then_some(host)
}

/// A host in lower case, in ASCII (RFC 5891) and without a dot at its end.
fn in_ascii(host: &str) -> Option<Cow<'_, str>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Some(Cow::Borrowed(host));
    }
    if host.is_ascii() {
        return Some(Cow::Owned(host.to_ascii_lowercase()));
    }
    let ascii = idna::domain_to_ascii_cow(host.as_bytes(), AsciiDenyList::URL).ok()?;
    Some(Cow::Owned(ascii.strip_suffix('.').unwrap_or(&ascii).to_owned()))
}

/// Whether a host could be somebody's: a name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    let name = |text: &str| {
        text.split('.').all(|label| (1..=63).contains(&label.len()))
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    host.starts_with('[') && is_address(host) || name(host)
}

/// Whether a host is an address: no site is served there, so that a load balancer may ask for our own health.
fn is_address(host: &str) -> bool {
    let of_six = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match of_six {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

fn malformed(host: &str) -> HostError {
    HostError::Malformed(host.to_owned())
}

#[cfg(test)]
mod tests;
