//! The environment of the author's commands: built from nothing, so that none of ours is in it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use gitdeploy_runtime::Vars;

use crate::memory;

/// Variables of the builder that tell how to reach the internet from here. They are passed on, unless they
/// hold a login.
const NETWORK: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// What switches off the reports that tools send home.
const TELEMETRY_OFF: &[(&str, &str)] = &[
    ("ASTRO_TELEMETRY_DISABLED", "1"),
    ("DO_NOT_TRACK", "1"),
    ("GATSBY_TELEMETRY_DISABLED", "1"),
    ("NEXT_TELEMETRY_DISABLED", "1"),
    ("NG_CLI_ANALYTICS", "false"),
    ("NUXT_TELEMETRY_DISABLED", "1"),
    ("STORYBOOK_DISABLE_TELEMETRY", "1"),
    ("TURBO_TELEMETRY_DISABLED", "1"),
    ("npm_config_update_notifier", "false"),
];

/// The environment for the commands of a build, with what they are `told` about their deployment. `pass` names
/// variables of `ours` that the operator lends.
pub(crate) fn environment(
    told: Vec<(String, String)>,
    home: &Path,
    path: &OsStr,
    ours: &Vars,
    pass: &[String],
) -> Vec<(String, OsString)> {
    let mut environment = Vec::new();
    let mut set = |name: &str, value: OsString| environment.push((name.to_owned(), value));
    for (name, value) in ours {
        let is_network = NETWORK.contains(&name.as_str()) && !value.contains('@');
        if is_network || pass.contains(name) {
            set(name, value.into());
        }
    }
    // A pip of an older Python has certificates of its own, and does not ask OpenSSL for others.
    let certificates = ours.iter().find(|(name, value)| name == "SSL_CERT_FILE" && !value.is_empty());
    if let Some((_, file)) = certificates.filter(|_| !pass.iter().any(|name| name == "PIP_CERT")) {
        set("PIP_CERT", file.into());
    }
    set("PATH", path.to_owned());
    set("HOME", home.into());
    for (name, value) in
        [("USER", "build"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color"), ("FORCE_COLOR", "1")]
    {
        set(name, value.into());
    }
    for (name, value) in TELEMETRY_OFF {
        set(name, value.into());
    }
    if let Some(memory) = memory::limit().filter(|_| !pass.iter().any(|name| name == "NODE_OPTIONS")) {
        set("NODE_OPTIONS", node_options(memory).into());
    }
    for (name, value) in told {
        set(&name, value.into());
    }
    environment
}

/// What lets Node.js use three quarters of the memory: on its own it takes less, and fails where there is more.
fn node_options(memory: u64) -> String {
    format!("--max-old-space-size={}", memory / 4 * 3 / (1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_ours_is_in_it() {
        let ours = [
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("GITDEPLOY_BUS_REDIS_URL", "redis://:secret@host"),
            ("HTTPS_PROXY", "http://me:secret@proxy"),
            ("HTTP_PROXY", "http://proxy"),
            ("NPM_TOKEN", "lent"),
            ("PATH", "/ours"),
            ("SSL_CERT_FILE", "/certificates"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let pass = ["NPM_TOKEN".to_owned()];
        let told = ["GITDEPLOY_PROJECT_ID", "NPM_TOKEN"].map(|name| (name.to_owned(), "blog".to_owned()));
        let (home, path) = (Path::new("/home"), OsStr::new("/bin"));
        let built = environment(told.to_vec(), home, path, &ours.to_vec(), &pass);
        assert!(built.iter().all(|(_, value)| !value.to_string_lossy().contains("secret")), "{built:?}");
        let get = |wanted: &str| built.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        assert_eq!(get("HTTP_PROXY").unwrap(), "http://proxy");
        assert_eq!(get("SSL_CERT_FILE").unwrap(), "/certificates");
        assert_eq!(get("PIP_CERT").unwrap(), "/certificates");
        assert_eq!(get("NPM_TOKEN").unwrap(), "lent");
        assert_eq!(get("PATH").unwrap(), "/bin");
        assert_eq!(get("GITDEPLOY_PROJECT_ID").unwrap(), "blog");
        assert!(get("NODE_OPTIONS").unwrap().to_string_lossy().starts_with("--max-old-space-size="));
    }

    #[test]
    fn node_gets_three_quarters_of_the_memory() {
        assert_eq!(node_options(8 << 30), "--max-old-space-size=6144");
        assert_eq!(node_options(512 << 20), "--max-old-space-size=384");
    }
}
