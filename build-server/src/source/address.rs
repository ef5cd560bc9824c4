//! The address of a repository: what it may be, and how it is shown.

use secrecy::SecretString;
use url::Url;

use super::rules::refused;
use crate::stop::Stop;

/// An address that can be cloned, apart from the login that may have stood in it.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// What is shown and cloned; without a password.
    pub(super) shown: String,
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: Option<Login>,
}

/// A login that stood in an address, or that the operator has set.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: SecretString,
}

impl Address {
    /// Reads `https://host/path`, `ssh://user@host/path` or `user@host:path`. A path of this machine is refused.
    pub(super) fn parse(text: &str) -> Result<Self, Stop> {
        let text = text.trim();
        if text.starts_with(['/', '.', '~']) || text.starts_with("file:") {
            return Err(refused(
                "the repository is a local path, which a builder does not read",
                "give the address of a git server, or deploy a directory with `gitdeploy deploy DIR`",
            ));
        }
        let url = match Url::parse(text) {
            Ok(url) if url.has_host() => url,
            _ => from_scp(text).ok_or_else(|| {
                let cause = format!("`{}` is not the address of a repository", without_login(text));
                refused(cause, "give an address such as `https://host/owner/name`")
            })?,
        };
        let default_port = match url.scheme() {
            "ssh" => 22,
            "git" => 9418,
            "http" => 80,
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
        // Git has no use for these, but a token may stand in them.
        shown.set_query(None);
        shown.set_fragment(None);
        if login.is_some() {
            // Only an address without a host refuses these two.
            shown.set_password(None).ok();
            shown.set_username("").ok();
        }
        Ok(Self {
            shown: shown.to_string(),
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(default_port),
            login,
        })
    }

    pub(super) fn is_http(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https")
    }

    /// Whether both are of one server, so that what is for one may be told the other.
    pub(super) fn is_of_server(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host.eq_ignore_ascii_case(&other.host) && self.port == other.port
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

#[cfg(test)]
mod tests {
    use gitdeploy_core::FailureCode;
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
        check("https://host.example/o/r?token=s3cret#s3cret", "https://host.example/o/r");
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
}
