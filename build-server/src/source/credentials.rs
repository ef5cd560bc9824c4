//! Who the builder is to git servers.

use gitdeploy_core::spec::git as variable;
use gitdeploy_runtime::{SettingError, Vars};
use secrecy::SecretString;

use super::address::{Address, Login};

/// The user that forges take with a token, where the operator names none.
const USER: &str = "x-access-token";
const USER_AT_BITBUCKET: &str = "x-token-auth";

/// A token and a key, and whom they are for. They reach git servers only: no build, no address, no log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials {
    token: Option<SecretString>,
    user: Option<String>,
    host: Option<Host>,
    key: Option<SecretString>,
    /// The lines of a `known_hosts` file.
    pub(super) known_hosts: String,
}

/// A server by name. Without a port it is the usual one of HTTPS and of SSH, never that of plain HTTP.
#[derive(Debug, Clone)]
struct Host {
    name: String,
    port: Option<u16>,
}

impl Credentials {
    pub(crate) fn from_vars(vars: &Vars) -> Result<Self, SettingError> {
        let get = |wanted: &str| {
            let found = vars.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.trim());
            found.filter(|value| !value.is_empty())
        };
        let token = get(variable::TOKEN);
        let host = get(variable::HOST).map(Host::parse).transpose()?;
        if token.is_some_and(|token| token.chars().any(char::is_control)) {
            return Err(SettingError::new(variable::TOKEN, "it must be one line"));
        }
        if token.is_some() && host.is_none() {
            let reason = "it is not set, but a token is: say which host may get it, such as `github.com`";
            return Err(SettingError::new(variable::HOST, reason));
        }
        Ok(Self {
            token: token.map(SecretString::from),
            user: get(variable::USER).map(str::to_owned),
            host,
            key: get(variable::SSH_KEY).map(private_key).transpose()?,
            known_hosts: lines(get(variable::KNOWN_HOSTS).unwrap_or_default()),
        })
    }

    /// The login for an address: its own, or the operator's where it is for this host.
    pub(super) fn login(&self, address: &Address) -> Option<Login> {
        if address.login.is_some() {
            return address.login.clone();
        }
        let password = self.token.clone()?;
        if !address.is_http() || !self.host.as_ref()?.is_of(address) {
            return None;
        }
        let usual = if address.host == "bitbucket.org" { USER_AT_BITBUCKET } else { USER };
        Some(Login { user: self.user.clone().unwrap_or_else(|| usual.to_owned()), password })
    }

    /// The private key for an address. A server learns nothing of it that could be used elsewhere.
    pub(super) fn key(&self, address: &Address) -> Option<&SecretString> {
        let is_for = self.host.as_ref().is_none_or(|host| host.is_of(address));
        self.key.as_ref().filter(|_| is_for)
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, SettingError> {
        let wrong =
            || SettingError::new(variable::HOST, "it must be a host such as `github.com` or `host:8443`");
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        if name.is_empty() || name.contains(['/', '@', ':', ' ', '*']) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), port })
    }

    fn is_of(&self, address: &Address) -> bool {
        let usual = match address.scheme.as_str() {
            "https" => Some(443),
            "ssh" => Some(22),
            _ => None,
        };
        self.name.eq_ignore_ascii_case(&address.host) && self.port.or(usual) == Some(address.port)
    }
}

fn private_key(text: &str) -> Result<SecretString, SettingError> {
    let wrong = |reason: &str| SettingError::new(variable::SSH_KEY, reason);
    let key = lines(text);
    if !key.starts_with("-----BEGIN ") || !key.contains("PRIVATE KEY-----") {
        return Err(wrong("it is not the text of a private key, which starts with `-----BEGIN`"));
    }
    if key.contains("ENCRYPTED") {
        return Err(wrong("the key has a passphrase, which nobody is there to type"));
    }
    Ok(format!("{key}\n").into())
}

/// Lines as they were, also where the ends of lines had to be written as `\n`.
fn lines(text: &str) -> String {
    text.replace("\\n", "\n").replace('\r', "")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn credentials(list: &[(&str, &str)]) -> Result<Credentials, SettingError> {
        let vars = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Credentials::from_vars(&vars.collect())
    }

    #[test]
    fn a_token_goes_to_its_host_and_port_only() {
        let check = |host: &str, text: &str, expected: Option<&str>| {
            let credentials = credentials(&[(variable::TOKEN, "t0ken"), (variable::HOST, host)]).unwrap();
            let login = credentials.login(&Address::parse(text).unwrap());
            assert_eq!(login.map(|login| login.user).as_deref(), expected, "{host} {text}");
        };
        check("github.com", "https://github.com/o/r", Some("x-access-token"));
        check("GitHub.com", "https://github.com:443/o/r", Some("x-access-token"));
        check("bitbucket.org", "https://bitbucket.org/o/r", Some("x-token-auth"));
        check("git.example:8443", "https://git.example:8443/o/r", Some("x-access-token"));
        check("127.0.0.1:3000", "http://127.0.0.1:3000/o/r", Some("x-access-token"));
        check("github.com", "https://github.com.evil.example/o/r", None);
        check("github.com", "https://evil.example/github.com", None);
        check("github.com", "https://github.com:8443/o/r", None);
        check("github.com", "http://github.com/o/r", None);
        check("github.com", "ssh://git@github.com/o/r", None);
        // What stands in the address is meant for it.
        check("github.com", "https://me:pw@elsewhere.example/r", Some("me"));
    }

    #[test]
    fn a_key_is_used_at_its_host_or_everywhere() {
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\\nAAAA\\n-----END OPENSSH PRIVATE KEY-----";
        let anywhere = credentials(&[(variable::SSH_KEY, key)]).unwrap();
        let address = Address::parse("git@git.example:o/r").unwrap();
        assert!(anywhere.key(&address).unwrap().expose_secret().contains("-----\nAAAA\n-----END"));
        let there = credentials(&[(variable::SSH_KEY, key), (variable::HOST, "git.example")]).unwrap();
        assert!(there.key(&address).is_some());
        let elsewhere = credentials(&[(variable::SSH_KEY, key), (variable::HOST, "github.com")]).unwrap();
        assert!(elsewhere.key(&address).is_none());
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let check = |list: &[(&str, &str)], name: &str| {
            let error = credentials(list).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("s3cret"), "{error}");
        };
        check(&[(variable::TOKEN, "s3cret")], variable::HOST);
        check(&[(variable::TOKEN, "s3\ncret"), (variable::HOST, "h")], variable::TOKEN);
        check(&[(variable::HOST, "https://github.com")], variable::HOST);
        check(&[(variable::SSH_KEY, "s3cret")], variable::SSH_KEY);
        let sealed = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\ns3cret";
        check(&[(variable::SSH_KEY, sealed)], variable::SSH_KEY);
        let shown = format!("{:?}", credentials(&[(variable::TOKEN, "s3cret"), (variable::HOST, "h")]));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
