//! Which values are secrets of a build: what the operator passes on, and what the builder itself goes by.

use std::fmt;

use gitdeploy_runtime::Vars;
use url::Url;

/// A secret that is shorter, in bytes, would be found everywhere.
pub(super) const SHORTEST: usize = 6;

/// Values that no secret has, whatever the variable is called: they would be found everywhere.
const COMMON: &[&str] = &[
    "changeme",
    "default",
    "deployment",
    "development",
    "disabled",
    "enabled",
    "example",
    "gitdeploy",
    "github",
    "gitlab",
    "latest",
    "localhost",
    "master",
    "minioadmin",
    "network",
    "password",
    "preview",
    "private",
    "production",
    "public",
    "redacted",
    "release",
    "secret",
    "staging",
    "undefined",
    "us-east-1",
    "verbose",
    "warning",
];

/// Short values that are so plainly no secrets that nobody needs to be told.
const PLAIN: &[&str] = &[
    "", "debug", "dev", "error", "false", "info", "main", "no", "none", "null", "off", "on", "test", "true",
    "warn", "yes",
];

/// How names of variables begin whose values a framework puts into the pages.
const PUBLIC: &[&str] = &[
    "EXPO_PUBLIC_",
    "GATSBY_",
    "GRIDSOME_",
    "NEXT_PUBLIC_",
    "NG_APP_",
    "NUXT_PUBLIC_",
    "PUBLIC_",
    "REACT_APP_",
    "STORYBOOK_",
    "VITE_",
    "VUE_APP_",
];

/// What names of variables contain that hold a secret.
const TELLING: &[&str] = &[
    "ACCESS_KEY",
    "API_KEY",
    "APIKEY",
    "AUTHORIZATION",
    "CREDENTIAL",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PRIVATE_KEY",
    "SECRET",
    "SSH_KEY",
    "TOKEN",
];

/// How the names of our settings for builds begin; none of them is a secret.
const SETTINGS: &str = "GITDEPLOY_BUILD_";

/// How names of variables end that only say where something is.
const PLACES: &[&str] = &["_FILE", "_PATH", "_DIR", "_DIRECTORY"];

/// A value that must not be shown.
#[derive(Clone)]
pub(crate) struct Secret {
    /// The variable that holds it.
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The secrets of a build.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) secrets: Vec<Secret>,
    /// The variables that were passed on whose values are too short to be looked for.
    pub(crate) too_short: Vec<String>,
}

impl Known {
    /// The secrets in the builder's variables. `pass` names those that the operator passes on to builds, `public`
    /// those of them that are no secrets.
    pub(crate) fn of<'a>(
        vars: impl IntoIterator<Item = &'a Vars>,
        pass: &[String],
        public: &[String],
    ) -> Self {
        let mut known = Self::default();
        let is_public = |name: &String| {
            let is_named_so = PUBLIC.iter().any(|prefix| name.starts_with(prefix));
            public.contains(name) || (is_named_so && pass.contains(name))
        };
        for (name, value) in vars.into_iter().flatten().filter(|(name, _)| !is_public(name)) {
            for login in logins(value) {
                known.add(name, &login);
            }
            let is_passed = pass.contains(name);
            if is_passed && is_short(value) && !known.too_short.contains(name) {
                known.too_short.push(name.clone());
            }
            if is_passed || is_telling(name) {
                known.add(name, value);
            }
        }
        known
    }

    /// Adds a value, unless it would be found everywhere.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        let trimmed = value.trim();
        let is_common = COMMON.iter().any(|common| common.eq_ignore_ascii_case(trimmed));
        let is_known = self.secrets.iter().any(|secret| secret.value == value);
        if trimmed.len() >= SHORTEST && !is_common && !is_known {
            self.secrets.push(Secret { name: name.to_owned(), value: value.to_owned() });
        }
    }
}

fn is_short(value: &str) -> bool {
    let trimmed = value.trim();
    let is_plain = PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(trimmed));
    trimmed.len() < SHORTEST && !is_plain && trimmed.parse::<u64>().is_err()
}

fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    !name.starts_with(SETTINGS)
        && TELLING.iter().any(|part| name.contains(part))
        && !PLACES.iter().any(|end| name.ends_with(end))
}

/// The password in an address, as it stands there and as it is meant; of one without a password, a name that is
/// as long as a token.
fn logins(value: &str) -> Vec<String> {
    const TOKEN: usize = 16;
    let Ok(url) = Url::parse(value) else { return Vec::new() };
    let login = match url.password() {
        Some(password) => password,
        None if url.username().len() >= TOKEN => url.username(),
        None => return Vec::new(),
    };
    let decoded = decoded(login);
    if decoded == login { vec![decoded] } else { vec![login.to_owned(), decoded] }
}

/// The text without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits =
            rest.get(1..3).filter(|_| *byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let encoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(encoded.unwrap_or(*byte));
        rest = if encoded.is_some() { &rest[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

// The value is not shown, whatever prints it.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(vars: &[(&str, &str)], pass: &[&str], public: &[&str]) -> Known {
        let vars: Vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Known::of([&vars], &names(pass), &names(public))
    }

    #[test]
    fn what_is_ours_and_what_is_passed_is_secret() {
        let vars = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SECRET_ACCESS_KEY", "of-the-store"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token"),
            ("GITDEPLOY_BUS_REDIS_URL", "redis://build:pass%2Fword@redis:6379/0"),
            ("GITDEPLOY_BUILD_ALLOW_SECRETS_IN", "docs/**"),
            ("GITDEPLOY_BUILD_COMMAND", "npm run build"),
            ("GITDEPLOY_CLAIM_TOKEN", "of-the-claim"),
            ("GITDEPLOY_GIT_KNOWN_HOSTS", "host ssh-ed25519 AAAAC3"),
            ("GITDEPLOY_GIT_TOKEN", "of-the-forge"),
            ("GIT_REPOSITORY_URL", "https://0123456789abcdef0123@host/r"),
            ("PATH", "/usr/local/bin:/usr/bin"),
            ("REGISTRY", "passed on"),
        ];
        let known = known(&vars, &["REGISTRY"], &[]);
        let values: Vec<_> = known.secrets.iter().map(|secret| secret.value.as_str()).collect();
        let expected = [
            "of-the-store",
            "pass%2Fword",
            "pass/word",
            "of-the-claim",
            "of-the-forge",
            "0123456789abcdef0123",
            "passed on",
        ];
        assert_eq!(values, expected);
        assert!(!format!("{known:?}").contains("of-the-store"));
    }

    #[test]
    fn what_is_short_common_or_public_is_not() {
        let vars = [
            ("FLAG", "true"),
            ("MODE", "Production"),
            ("PIN", "abc12"),
            ("PORT", "8080"),
            ("SITE", "https://example.org"),
            ("VITE_API_TOKEN", "for-everybody"),
        ];
        let known = known(&vars, &["FLAG", "MODE", "PIN", "PORT", "SITE", "VITE_API_TOKEN"], &["SITE"]);
        assert!(known.secrets.is_empty(), "{known:?}");
        assert_eq!(known.too_short, ["PIN"]);
    }
}
