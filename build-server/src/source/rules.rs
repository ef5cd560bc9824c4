//! Which servers a builder may talk to.

use std::net::{IpAddr, SocketAddr};

use gitdeploy_core::{Failure, FailureCode};

use super::address::Address;
use crate::config::Config;
use crate::stop::Stop;

/// What the operator allows.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) schemes: Vec<String>,
    /// Whether every address may be talked to, not only public ones.
    pub(super) private: bool,
}

impl Rules {
    pub(super) fn of(config: &Config) -> Self {
        Self { schemes: config.allow_schemes.clone(), private: config.allow_private_addresses }
    }

    /// Refuses a scheme that is not allowed, and a host in a network that is not public. Returns the addresses that
    /// were looked at, which are the only ones to connect to; nothing where all are allowed.
    pub(super) async fn admit(&self, address: &Address) -> Result<Vec<SocketAddr>, Stop> {
        if !self.schemes.contains(&address.scheme) {
            let fix = "use an `https` address, or have the operator add the scheme to `GITDEPLOY_BUILD_ALLOW_SCHEMES`";
            return Err(refused(format!("repositories are not cloned over `{}`", address.scheme), fix));
        }
        if self.private {
            return Ok(Vec::new());
        }
        let host = &address.host;
        let found = tokio::net::lookup_host((host.as_str(), address.port)).await;
        let found: Vec<_> = found
            .map_err(|error| {
                let cause = format!("the host `{host}` of the repository is not found: {error}");
                let failure = Failure::new(FailureCode::CloneUnreachable, cause);
                Stop::author(failure.fix("check the spelling of the address"))
            })?
            .collect();
        if !found.iter().all(|address| is_public(address.ip())) {
            let fix = "if it is meant to be there, have the operator set `GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES=true`";
            return Err(refused(format!("the host `{host}` of the repository is in a private network"), fix));
        }
        Ok(found)
    }
}

/// An address that is not talked to.
pub(super) fn refused(cause: impl Into<String>, fix: &str) -> Stop {
    Stop::author(Failure::new(FailureCode::CloneAddress, cause).fix(fix))
}

/// Whether an address is reachable from everywhere: neither loopback nor private, link-local (where clouds
/// keep their credentials), shared (RFC 6598), multicast nor reserved.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || first == 0
                || first >= 240
                || matches!([first, second, third], [192, 0, 0] | [192, 88, 99])
                || (first == 100 && (64..128).contains(&second))
                || (first == 198 && (18..20).contains(&second)))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            // An address that embeds an IPv4 address is as public as that is: ::ffff:0:0/96, 64:ff9b::/96, 2002::/16.
            let embedded = v6.to_ipv4_mapped().or_else(|| match v6.segments() {
                [0x64, 0xff9b, _, _, _, _, high, low]
                | [0, 0, 0, 0, 0, 0, high, low]
                | [0x2002, high, low, ..] => Some((u32::from(high) << 16 | u32::from(low)).into()),
                _ => None,
            });
            match embedded {
                Some(v4) => is_public(IpAddr::V4(v4)),
                None => {
                    !(v6.is_loopback()
                        || v6.is_unspecified()
                        || v6.is_multicast()
                        || v6.is_unique_local()
                        || v6.is_unicast_link_local()
                        || first & 0xffc0 == 0xfec0)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn private_hosts_and_other_schemes_are_refused() {
        let rules = |private| Rules { schemes: vec!["https".to_owned(), "http".to_owned()], private };
        for text in [
            "http://127.0.0.1/r",
            "http://localhost/r",
            "http://[::1]/r",
            "http://10.1.2.3/r",
            "http://169.254.169.254/latest",
            "http://100.64.0.1/r",
            "http://[::ffff:10.0.0.1]/r",
            "http://[64:ff9b::a00:1]/r",
            "http://198.18.0.1/r",
            "http://[::10.0.0.1]/r",
            "http://[fd00::1]/r",
            "http://[fe80::1]/r",
            "http://0x7f000001/r",
            "ssh://git@host/r",
            "ext://sh/r",
        ] {
            let address = Address::parse(text).unwrap();
            let stop = rules(false).admit(&address).await.unwrap_err();
            assert_eq!(stop.failure.code, FailureCode::CloneAddress, "{text}: {:?}", stop.failure);
        }
        let local = Address::parse("http://127.0.0.1/r").unwrap();
        rules(true).admit(&local).await.unwrap();
        let public = Address::parse("https://1.1.1.1/r").unwrap();
        assert_eq!(rules(false).admit(&public).await.unwrap(), ["1.1.1.1:443".parse().unwrap()]);
    }
}
