//! What stands between connections and the handler: who asks, how many may at once, and what is told afterwards.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{CONNECTION, HOST, HeaderValue, REFERER, USER_AGENT};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use tokio::sync::Semaphore;

use super::limits::Limits;
use super::occupancy::{Occupancy, Seat};
use super::progress::Progress;
use super::sent::{Ending, Sent};
use crate::access_log::AccessLog;
use crate::account::Account;
use crate::body::{self, Body};
use crate::exchange::Exchange;
use crate::handler::Handler;
use crate::metrics::{Metrics, Refused};
use crate::pages;
use crate::readiness::{Readiness, Stage};
use crate::visitor::{Peer, Trust};

/// What all connections of a server share.
pub(crate) struct Front {
    pub(crate) handler: Handler,
    pub(crate) limits: Limits,
    pub(crate) trust: Trust,
    /// Whether trusted neighbours begin connections with a header of the PROXY protocol.
    pub(crate) has_proxy_headers: bool,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Option<AccessLog>,
    /// One for each connection that there may be.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) connections: Arc<Occupancy>,
    pub(crate) requests: Arc<Occupancy>,
    pub(crate) sites: Arc<Occupancy>,
}

impl Front {
    /// Answers a request, whatever happens.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        progress: Arc<Progress>,
    ) -> Response<Sent> {
        let begin = Instant::now();
        let open = progress.begin();
        let (mut request, body) = request.into_parts();
        if request.version == Version::HTTP_2 {
            name_host(&mut request);
        }
        let visitor = self.trust.visitor(peer, &mut request.headers);
        let header = |name| request.headers.get(name).cloned();
        let mut exchange = Box::new(Exchange {
            visitor,
            method: request.method.clone(),
            uri: request.uri.clone(),
            version: request.version,
            host: header(HOST),
            user_agent: header(USER_AGENT),
            referer: header(REFERER),
            status: 0,
            account: Account::default(),
            begin,
            duration: Duration::ZERO,
            ended: SystemTime::UNIX_EPOCH,
            bytes: 0,
            is_whole: false,
        });
        let (mut response, seats) = match self.seat(&request, &exchange) {
            Ok(seats) => {
                let Exchange { visitor, account, .. } = &mut *exchange;
                (self.handler.tell(&mut request, body, Some(visitor), account).await, seats)
            }
            Err(reason) => (self.refuse(reason, &request.method), [None, None]),
        };
        let is_last = self.is_crowded() || self.readiness.stage() == Stage::Draining;
        if is_last && exchange.version != Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        exchange.status = response.status().as_u16();
        let expected = expected(&exchange.method, &response);
        response.map(|body| Sent::new(body, Ending { exchange, open, _seats: seats, expected, front: self }))
    }

    /// Whether hardly any place for a connection is left: then none is kept that is not in use, so that the visitors
    /// of one site, who are many addresses, leave room for those of others.
    pub(crate) fn is_crowded(&self) -> bool {
        self.places.available_permits() < self.limits.connections / 10
    }

    /// A seat for the address and one for the site. A site is the host that is asked for, so that sites that do not
    /// exist take no seat from those that do.
    fn seat(&self, request: &Parts, exchange: &Exchange) -> Result<[Option<Seat>; 2], Refused> {
        if request.headers.len() > self.limits.headers {
            return Err(Refused::Headers);
        }
        let address = self.requests.take(holder(exchange.visitor.address)).ok_or(Refused::AddressRequests)?;
        let authority = exchange.uri.authority().map(|authority| authority.as_str().as_bytes());
        let host = authority.or(exchange.host.as_ref().map(HeaderValue::as_bytes)).unwrap_or_default();
        let site = self.sites.take(site(host)).ok_or(Refused::SiteRequests)?;
        Ok([Some(address), Some(site)])
    }

    fn refuse(&self, reason: Refused, method: &Method) -> Response<Body> {
        self.metrics.refused(reason);
        let mut response = match reason {
            Refused::Headers => pages::too_many_headers(),
            Refused::AddressRequests => pages::too_many_requests(),
            _ => pages::busy(),
        };
        if *method == Method::HEAD {
            *response.body_mut() = body::full("");
        }
        response
    }
}

/// Who is counted: an address, or of IPv6 the network of 64 bits that one customer has.
pub(crate) fn holder(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            IpAddr::V6((bits >> 64 << 64).into())
        }
    }
}

/// A host as it is counted: however it is written, it is one.
fn site(host: &[u8]) -> Cow<'_, [u8]> {
    let port = host.iter().rev().take_while(|byte| byte.is_ascii_digit()).count() + 1;
    let name = match host.len().checked_sub(port) {
        Some(end) if host[end] == b':' => &host[..end],
        _ => host,
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.iter().any(u8::is_ascii_uppercase) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

/// RFC 9113 §8.3.1: `:authority` stands for `Host`; where both are there and differ, the request is malformed, and
/// two `Host` headers make it so.
fn name_host(request: &mut Parts) {
    let authority =
        request.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(authority) = authority
        && request.headers.get(HOST) != Some(&authority)
    {
        request.headers.append(HOST, authority);
    }
}

/// How long the body is said to be, where one follows.
fn expected(method: &Method, response: &Response<Body>) -> Option<u64> {
    if *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED {
        return Some(0);
    }
    response.headers().get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_however_it_is_written() {
        for host in
            ["blog.example", "Blog.EXAMPLE.", "blog.example:80", "blog.example.:8080", "blog.example:"]
        {
            assert_eq!(*site(host.as_bytes()), *b"blog.example", "{host}");
        }
        for host in ["", "80", ":", "a1", "[::1]", "[::1]:80"] {
            site(host.as_bytes());
        }
        assert_eq!(*site(b"[::1]:80"), *b"[::1]");
    }

    #[test]
    fn a_network_of_ipv6_is_one_holder() {
        let holder = |text: &str| holder(text.parse().unwrap()).to_string();
        assert_eq!(holder("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(holder("192.0.2.7"), "192.0.2.7");
    }
}
