//! Who asks: the address at the other end of the connection, or what trusted neighbours say of it.

use std::net::IpAddr;

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use serde::Deserialize;

use crate::forwarded::{self, Hop};

/// The visitor of a request. It travels with the request, as an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    /// Whether the visitor's own connection is encrypted.
    pub(crate) is_secure: bool,
    /// The code of the country, such as `DE`, if a trusted neighbour says it.
    pub(crate) country: Option<String>,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) is_secure: bool,
}

/// The networks of proxies and load balancers that pass visitors on to us: what they say of them is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(Vec<IpNet>);

/// A list that holds something other than networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a list of networks such as `10.0.0.0/8`, or of addresses, with commas between them is expected")]
pub struct NetworksError;

/// Whom we believe, and what.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Whose word counts.
    pub networks: Networks,
    /// Whether such a neighbour may say which host the visitor asked for. Only where every one of them writes the
    /// header anew: with one that passes on what visitors send, they would choose the site behind its back.
    pub believes_host: bool,
    /// The header in which the visitor's country stands.
    pub country_header: Option<HeaderName>,
}

impl Trust {
    /// Whether what comes from `address` is believed.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        self.networks.0.iter().any(|network| network.contains(&address))
    }

    /// The visitor of a request that came from `peer`. The host that was asked for is put in its place.
    pub(crate) fn visitor(&self, peer: Peer, headers: &mut HeaderMap) -> Visitor {
        let mut visitor = Visitor { address: peer.address, is_secure: peer.is_secure, country: None };
        if self.networks.0.is_empty() || !self.covers(peer.address) {
            return visitor;
        }
        let hop = self.first_hop(peer.address, forwarded::hops(headers)).unwrap_or_default();
        visitor.address = hop.address.unwrap_or(peer.address);
        visitor.is_secure = hop.is_secure.unwrap_or(peer.is_secure);
        let country = self.country_header.as_ref().and_then(|name| headers.get(name)?.to_str().ok());
        visitor.country = country.filter(|code| is_country(code)).map(str::to_ascii_uppercase);
        if let Some(host) = hop.host.filter(|_| self.believes_host)
            && let Ok(host) = HeaderValue::from_str(&host)
        {
            headers.insert(HOST, host);
        }
        visitor
    }

    /// What the outermost trusted proxy saw. Whatever stands before it was written by the visitor.
    fn first_hop(&self, peer: IpAddr, hops: Vec<Hop>) -> Option<Hop> {
        let mut first: Option<Hop> = None;
        for hop in hops.into_iter().rev() {
            let last = first.as_ref().map_or(Some(peer), |first| first.address);
            if !last.is_some_and(|last| self.covers(last)) {
                break;
            }
            let address = hop.address.or(last);
            let ends = hop.address.is_none();
            first = Some(Hop { address, ..hop });
            if ends {
                break;
            }
        }
        first
    }
}

impl TryFrom<String> for Networks {
    type Error = NetworksError;

    fn try_from(text: String) -> Result<Self, NetworksError> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let network = |item: &str| {
            let alone = || item.parse::<IpAddr>().map(IpNet::from);
            item.parse::<IpNet>().or_else(|_| alone()).map_err(|_| NetworksError)
        };
        items.map(network).collect::<Result<_, _>>().map(Self)
    }
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> Trust {
        Trust {
            networks: "10.0.0.0/8, 2001:db8::1".to_owned().try_into().unwrap(),
            believes_host: false,
            country_header: Some(HeaderName::from_static("cf-ipcountry")),
        }
    }

    fn ask(trust: &Trust, peer: &str, headers: &[(&'static str, &str)]) -> (Visitor, Option<String>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let peer = Peer { address: peer.parse().unwrap(), is_secure: false };
        let visitor = trust.visitor(peer, &mut map);
        (visitor, map.get(HOST).map(|host| host.to_str().unwrap().to_owned()))
    }

    fn address(peer: &str, headers: &[(&'static str, &str)]) -> String {
        ask(&trust(), peer, headers).0.address.to_string()
    }

    #[test]
    fn only_trusted_neighbours_are_believed() {
        let headers =
            [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"), ("cf-ipcountry", "de")];
        let (visitor, _) = ask(&trust(), "192.0.2.1", &headers);
        let address = "192.0.2.1".parse().unwrap();
        assert_eq!(visitor, Visitor { address, is_secure: false, country: None });
        let (visitor, _) = ask(&trust(), "10.1.2.3", &headers);
        let (address, country) = ("192.0.2.7".parse().unwrap(), Some("DE".to_owned()));
        assert_eq!(visitor, Visitor { address, is_secure: true, country });
        let (nobody, _) = ask(&Trust::default(), "10.1.2.3", &headers);
        assert_eq!(nobody.address.to_string(), "10.1.2.3");
    }

    #[test]
    fn the_address_is_the_last_one_that_no_trusted_proxy_has() {
        let check =
            |list: &str, expected| assert_eq!(address("10.0.0.1", &[("x-forwarded-for", list)]), expected);
        check("192.0.2.7", "192.0.2.7");
        check("203.0.113.9, 192.0.2.7", "192.0.2.7");
        check("203.0.113.9, 192.0.2.7, 10.0.0.2", "192.0.2.7");
        check("10.0.0.9, 10.0.0.2", "10.0.0.9");
        check("192.0.2.7, garbage", "10.0.0.1");
        check("garbage, 10.0.0.2", "10.0.0.2");
        check("", "10.0.0.1");
        check("::ffff:192.0.2.7", "192.0.2.7");
        assert_eq!(address("2001:db8::1", &[("x-forwarded-for", "2001:db8::2")]), "2001:db8::2");
        let several = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(address("10.0.0.1", &several), "192.0.2.7");
    }

    #[test]
    fn a_host_is_believed_only_where_the_operator_says_so() {
        let headers = [("host", "a"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-host", "b")];
        assert_eq!(ask(&trust(), "10.0.0.1", &headers).1.as_deref(), Some("a"));
        let believing = Trust { believes_host: true, ..trust() };
        assert_eq!(ask(&believing, "10.0.0.1", &headers).1.as_deref(), Some("b"));
        assert_eq!(ask(&believing, "192.0.2.1", &headers).1.as_deref(), Some("a"));
    }

    #[test]
    fn a_list_has_networks_or_addresses() {
        for bad in ["10.0.0.0/33", "localhost", "10.0.0.0/8 10.1.0.0/8", "10.0.0"] {
            assert_eq!(Networks::try_from(bad.to_owned()), Err(NetworksError), "{bad}");
        }
        assert_eq!(Networks::try_from(" , ".to_owned()), Ok(Networks::default()));
    }
}
