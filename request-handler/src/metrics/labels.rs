//! The labels of what is counted, and the few values that each can have.

use http::{Method, Version};
use prometheus_client::encoding::EncodeLabelSet;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Answers {
    pub(super) status: &'static str,
    pub(super) method: &'static str,
    pub(super) protocol: &'static str,
    pub(super) source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Class {
    pub(super) status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Protocol {
    pub(super) protocol: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Refusals {
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StoreRequests {
    pub(super) operation: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StoreTimes {
    pub(super) operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Cache {
    pub(super) cache: &'static str,
}

/// Why a connection or a request was turned away or cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All places are taken.
    Connections,
    /// The address has as many connections as it may.
    AddressConnections,
    /// The address has as many requests under way as it may.
    AddressRequests,
    /// The site has as many requests under way as it may.
    SiteRequests,
    /// Passwords come from the address, or for the site, faster than they are looked at.
    Guesses,
    /// The request has too many headers.
    Headers,
    /// The head of a request did not come in time.
    SlowHead,
    /// The visitor did not read the answer.
    SlowReader,
    /// What comes before requests did not come in time.
    SlowOpening,
    /// The TLS handshake failed.
    Tls,
    /// The header of the PROXY protocol is missing.
    ProxyHeader,
}

/// What is asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Head,
}

/// How a request to the store ended. That something is not there, or is as it was, is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    Failed,
    TimedOut,
}

impl Refused {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::AddressConnections => "address_connections",
            Self::AddressRequests => "address_requests",
            Self::SiteRequests => "site_requests",
            Self::Guesses => "guesses",
            Self::Headers => "headers",
            Self::SlowHead => "slow_head",
            Self::SlowReader => "slow_reader",
            Self::SlowOpening => "slow_opening",
            Self::Tls => "tls",
            Self::ProxyHeader => "proxy_header",
        }
    }
}

impl Operation {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
        }
    }
}

impl Outcome {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// The class of a status.
pub(super) fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// A method, if sites know it.
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The name of a version of HTTP, as ALPN has it.
pub(crate) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "h2",
        Version::HTTP_10 => "http/1.0",
        _ => "http/1.1",
    }
}
