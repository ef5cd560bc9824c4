//! The environment of the author's commands: built from nothing, so that none of ours is in it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use gitdeploy_core::BuildSpec;
use gitdeploy_core::manifest::Origin;
use gitdeploy_runtime::Vars;

use super::memory::memory;

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

/// The environment for the commands of a build. `pass` names variables of `ours` that the operator lends.
pub(crate) fn environment(
    spec: &BuildSpec,
    origin: &Origin,
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
    set("PATH", path.to_owned());
    set("HOME", home.into());
    for (name, value) in [
        ("USER", "build"),
        ("LANG", "C.UTF-8"),
        ("TERM", "xterm-256color"),
        ("CI", "1"),
        ("FORCE_COLOR", "1"),
        ("GITDEPLOY", "1"),
    ] {
        set(name, value.into());
    }
    for (name, value) in TELEMETRY_OFF {
        set(name, value.into());
    }
    if let Some(memory) = memory().filter(|_| !pass.iter().any(|name| name == "NODE_OPTIONS")) {
        set("NODE_OPTIONS", node_options(memory).into());
    }
    set("GITDEPLOY_PROJECT_ID", spec.project.as_str().into());
    set("GITDEPLOY_DEPLOYMENT_ID", spec.output_id().as_str().into());
    for (name, value) in [
        ("GITDEPLOY_GIT_COMMIT_SHA", &origin.commit),
        ("GITDEPLOY_GIT_COMMIT_REF", &origin.reference),
        ("GITDEPLOY_GIT_COMMIT_MESSAGE", &origin.message),
        // What builds that come from elsewhere look for.
        ("COMMIT_REF", &origin.commit),
        ("BRANCH", &origin.reference),
    ] {
        if let Some(value) = value {
            set(name, value.into());
        }
    }
    environment
}

/// What lets Node.js use three quarters of the memory: on its own it takes less, and fails where there is more.
fn node_options(memory: u64) -> String {
    format!("--max-old-space-size={}", memory / 4 * 3 / (1 << 20))
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::CacheUse;
    use gitdeploy_core::spec::{BuildSettings, Source};

    use super::*;

    #[test]
    fn nothing_of_ours_is_in_it() {
        let spec = BuildSpec {
            project: "blog".parse().unwrap(),
            deployment: None,
            attempt: None,
            previous: None,
            source: Source::Git { repository: "https://host/r".to_owned(), reference: None },
            settings: BuildSettings::default(),
            cache: CacheUse::default(),
        };
        let ours = [
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("GITDEPLOY_BUS_REDIS_URL", "redis://:secret@host"),
            ("HTTPS_PROXY", "http://me:secret@proxy"),
            ("HTTP_PROXY", "http://proxy"),
            ("NPM_TOKEN", "lent"),
            ("PATH", "/ours"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let pass = ["NPM_TOKEN".to_owned()];
        let built = environment(
            &spec,
            &Origin::default(),
            Path::new("/home"),
            OsStr::new("/bin"),
            &ours.to_vec(),
            &pass,
        );
        assert!(built.iter().all(|(_, value)| !value.to_string_lossy().contains("secret")), "{built:?}");
        let get = |wanted: &str| built.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        assert_eq!(get("HTTP_PROXY").unwrap(), "http://proxy");
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
