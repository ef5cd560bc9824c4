//! The address of a repository: what it may be, and how it is shown.

use std::net::IpAddr;

use gitdeploy_core::{Failure, FailureCode};
use secrecy::SecretString;
use url::Url;

use crate::stop::Stop;

/// An address that can be cloned, apart from the login that may have stood in it.
#[derive(Debug)]
pub(crate) struct Address {
    /// What is shown and cloned; without a password.
    pub(crate) shown: String,
    scheme: String,
    host: String,
    port: u16,
    pub(crate) login: Option<Login>,
}

/// A login that stood in an address.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

impl Address {
    /// Reads `https://host/path`, `ssh://user@host/path` or `user@host:path`. A path of this machine is refused.
    pub(crate) fn parse(text: &str) -> Result<Self, Stop> {
        let text = text.trim();
        if text.starts_with(['/', '.', '~']) || text.starts_with("file:") {
            return Err(refuse("the repository is a local path, which a builder does not read")
                .fix("give the address of a git server, or deploy a directory with `gitdeploy deploy DIR`")
                .into_stop());
        }
        let url = match Url::parse(text) {
            Ok(url) if url.has_host() => url,
            _ => from_scp(text).ok_or_else(|| {
                refuse(format!("`{}` is not the address of a repository", without_login(text)))
                    .fix("give an address such as `https://host/owner/name`")
                    .into_stop()
            })?,
        };
        let default_port = match url.scheme() {
            "ssh" => 22,
            "git" => 9418,
            _ => 443,
        };
        let login = url
            .password()
            .map(|password| Login { user: decoded(url.username()), password: decoded(password).into() });
        // A user alone may be a token, unless it is the user that SSH wants.
        let login = login.or_else(|| {
            (url.scheme() != "ssh" && !url.username().is_empty())
                .then(|| Login { user: decoded(url.username()), password: String::new().into() })
        });
        let mut shown = url.clone();
        if login.is_some() {
            // Only an address without a host refuses these two.
            shown.set_password(None).ok();
            shown.set_username("").ok();
        }
        Ok(Self {
            shown: shown.to_string(),
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default().unwrap_or(default_port),
            login,
        })
    }

    /// Refuses a scheme that is not allowed, and a host in a network that is not public.
    pub(crate) async fn check(&self, schemes: &[String], private: bool) -> Result<(), Stop> {
        if !schemes.contains(&self.scheme) {
            let fix = "use an `https` address, or have the operator add the scheme to `GITDEPLOY_BUILD_ALLOW_SCHEMES`";
            return Err(refuse(format!("repositories are not cloned over `{}`", self.scheme))
                .fix(fix)
                .into_stop());
        }
        if private {
            return Ok(());
        }
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses = found.map_err(|error| {
            Stop::author(Failure::new(
                FailureCode::CloneUnreachable,
                format!("the host `{}` of the repository is not found: {error}", self.host),
            ))
        })?;
        for address in addresses {
            if !is_public(address.ip()) {
                let fix = "if it is meant to be there, have the operator set `GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES=true`";
                let cause = format!("the host `{}` of the repository is in a private network", self.host);
                return Err(refuse(cause).fix(fix).into_stop());
            }
        }
        Ok(())
    }
}

/// `user@host:path`, as `git clone` takes it.
fn from_scp(text: &str) -> Option<Url> {
    let (host, path) = text.split_once(':')?;
    let (user, host) = host.split_once('@')?;
    let plain = |text: &str| !text.is_empty() && !text.contains(['/', ':', '@', ' ']);
    if !plain(user) || !plain(host) || path.is_empty() {
        return None;
    }
    Url::parse(&format!("ssh://{user}@{host}/{}", path.trim_start_matches('/'))).ok()
}

fn decoded(text: &str) -> String {
    let pairs = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pairs.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn without_login(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
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

struct Refusal(Failure);

fn refuse(cause: impl Into<String>) -> Refusal {
    Refusal(Failure::new(FailureCode::CloneAddress, cause))
}

impl Refusal {
    fn fix(self, fix: &str) -> Self {
        Self(self.0.fix(fix))
    }

    fn into_stop(self) -> Stop {
        Stop::author(self.0)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn addresses_are_shown_without_a_login() {
        let check = |text: &str, shown: &str| {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.shown, shown);
            assert!(!format!("{address:?}").contains("s3cret"), "{address:?}");
        };
        check("https://host.example/o/r.git", "https://host.example/o/r.git");
        check("https://me:s3cret@host.example/o/r", "https://host.example/o/r");
        check("https://host.example:8443/o/r", "https://host.example:8443/o/r");
        check("ssh://git@host.example/o/r", "ssh://git@host.example/o/r");
        check("git@host.example:o/r.git", "ssh://git@host.example/o/r.git");
    }

    #[test]
    fn a_login_is_decoded() {
        let login = Address::parse("https://me%40x:p%2Fw+d@host/r").unwrap().login.unwrap();
        assert_eq!((login.user.as_str(), login.password.expose_secret()), ("me@x", "p/w+d"));
        let token = Address::parse("https://token123@host/r").unwrap();
        assert_eq!(
            (token.login.unwrap().user.as_str(), token.shown.as_str()),
            ("token123", "https://host/r")
        );
    }

    #[test]
    fn local_paths_and_nonsense_are_refused() {
        for text in ["/srv/repo", "./repo", "../repo", "~/repo", "file:///srv/repo", "", "repo", "a b"] {
            let stop = Address::parse(text).unwrap_err();
            assert_eq!(stop.failure.code, FailureCode::CloneAddress, "{text}");
            assert!(stop.failure.fix.is_some(), "{text}");
        }
    }

    #[tokio::test]
    async fn private_hosts_and_other_schemes_are_refused() {
        let schemes = ["https".to_owned(), "http".to_owned()];
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
            let stop = address.check(&schemes, false).await.unwrap_err();
            assert_eq!(stop.failure.code, FailureCode::CloneAddress, "{text}: {:?}", stop.failure);
        }
        let local = Address::parse("http://127.0.0.1/r").unwrap();
        local.check(&schemes, true).await.unwrap();
        let public = Address::parse("https://1.1.1.1/r").unwrap();
        public.check(&schemes, false).await.unwrap();
    }
}
