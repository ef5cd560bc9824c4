//! What the operator says about builds.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use gitdeploy_core::manifest::Encoding;
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Deserializer};

use crate::source::Credentials;

/// The settings `GITDEPLOY_BUILD_*` of the platform. What a project says about its own build is in
/// [`gitdeploy_core::spec::BuildSettings`].
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The schemes of repository addresses that may be cloned.
    #[serde(deserialize_with = "list")]
    pub allow_schemes: Vec<String>,
    /// Whether repositories may be on loopback, private and link-local addresses.
    pub allow_private_addresses: bool,
    /// Names of variables of the builder that builds get too, such as those of a private registry.
    #[serde(deserialize_with = "list")]
    pub pass: Vec<String>,
    /// Which of them are no secrets.
    #[serde(deserialize_with = "list")]
    pub public: Vec<String>,
    /// Files of the output in which tokens and keys may stand that nobody has told us, as globs.
    #[serde(deserialize_with = "globs")]
    pub allow_secrets_in: GlobSet,
    /// Where the workspace is made; absent: the system's directory for temporary files.
    pub workspace: Option<PathBuf>,
    /// What started the builder.
    pub launcher: Launcher,
    /// How long the store and the bus may take to be reached, in seconds.
    pub ready_seconds: u64,
    /// How long the clone may take, in seconds.
    pub clone_seconds: u64,
    /// How much a clone may transfer, in bytes.
    pub clone_bytes: u64,
    /// How many files and folders a commit may have, with its submodules.
    pub checkout_files: u64,
    /// How large its files may be together, in bytes.
    pub checkout_bytes: u64,
    /// How long the install command may take, in seconds.
    pub install_seconds: u64,
    /// How long the install command may write nothing, in seconds.
    pub install_silent_seconds: u64,
    /// How long the build command may take, in seconds.
    pub seconds: u64,
    /// How long the build command may write nothing, in seconds.
    pub silent_seconds: u64,
    /// How much memory the processes of a build may hold together, in bytes; absent: what the system allows.
    pub memory_bytes: Option<u64>,
    /// The users that commands run as where the builder is root, one for each build at a time: the numbers of the
    /// first and the last.
    #[serde(deserialize_with = "range")]
    pub users: RangeInclusive<u32>,
    /// How many lines a build may write at once.
    pub log_burst_lines: u64,
    /// How many lines it may then write a second.
    pub log_lines_per_second: u64,
    /// How many bytes of events are archived.
    pub log_bytes: u64,
    /// How many bytes of the first lines, and of the last, are shown while the build runs.
    pub log_live_bytes: u64,
    /// The encodings of the compressed copies that are made: `br`, `zstd`, `gzip`, or `none`.
    #[serde(deserialize_with = "encodings")]
    pub variants: Vec<Encoding>,
    /// How long files may be compressed, in seconds; what is not by then is published as it is.
    pub process_seconds: u64,
    /// How long the upload may take, in seconds.
    pub upload_seconds: u64,
    /// How many files a site may have.
    pub output_files: u64,
    /// How large one file may be, in bytes.
    pub output_file_bytes: u64,
    /// How large all files may be together, in bytes.
    pub output_bytes: u64,
    /// Who the builder is to git servers, from the variables `GITDEPLOY_GIT_*`.
    #[serde(skip)]
    pub(crate) git: Credentials,
}

/// What started the builder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Launcher {
    /// Nobody who needs to be watched.
    #[default]
    None,
    /// A process that holds our standard input: when that ends, the launcher is gone and so must we be.
    Pipe,
}

impl Default for Config {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            allow_schemes: vec!["https".to_owned(), "ssh".to_owned()],
            allow_private_addresses: false,
            pass: Vec::new(),
            public: Vec::new(),
            allow_secrets_in: GlobSet::empty(),
            workspace: None,
            launcher: Launcher::None,
            ready_seconds: 30,
            clone_seconds: 5 * 60,
            clone_bytes: 2048 * MIB,
            checkout_files: 250_000,
            checkout_bytes: 4096 * MIB,
            install_seconds: 15 * 60,
            install_silent_seconds: 5 * 60,
            seconds: 30 * 60,
            silent_seconds: 10 * 60,
            memory_bytes: None,
            users: 1500..=1599,
            log_burst_lines: 10_000,
            log_lines_per_second: 2_000,
            log_bytes: 100 * MIB,
            log_live_bytes: 4 * MIB,
            variants: Encoding::ALL.to_vec(),
            process_seconds: 3 * 60,
            upload_seconds: 10 * 60,
            output_files: 50_000,
            output_file_bytes: 100 * MIB,
            output_bytes: 2048 * MIB,
            git: Credentials::default(),
        }
    }
}

/// A list with commas, and with spaces where people like them.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let items = Vec::<String>::deserialize(deserializer)?;
    Ok(items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}

/// A range with a minus, or a single number.
fn range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RangeInclusive<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err(serde::de::Error::custom("it is no range of users, such as `1500-1599`")),
    }
}

/// A list of encodings; `none` is an empty one.
fn encodings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Encoding>, D::Error> {
    let named = list(deserializer)?.into_iter().filter(|name| name != "none");
    let encodings = named.map(|name| {
        let known = Encoding::ALL.into_iter().find(|encoding| encoding.as_str() == name);
        known.ok_or_else(|| {
            serde::de::Error::custom(format!("`{name}` is no encoding: it is `br`, `zstd`, `gzip` or `none`"))
        })
    });
    encodings.collect()
}

fn globs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GlobSet, D::Error> {
    let mut globs = GlobSetBuilder::new();
    for item in list(deserializer)? {
        globs.add(Glob::new(&item).map_err(serde::de::Error::custom)?);
    }
    globs.build().map_err(serde::de::Error::custom)
}

impl Config {
    pub(crate) fn ready(&self) -> Duration {
        Duration::from_secs(self.ready_seconds)
    }

    pub(crate) fn clone_limit(&self) -> Duration {
        Duration::from_secs(self.clone_seconds)
    }
}

#[cfg(test)]
mod tests {
    use gitdeploy_runtime::section;

    use super::*;

    #[test]
    fn encodings_are_chosen_or_none() {
        let of = |value: &str| {
            let vars = [("GITDEPLOY_BUILD_VARIANTS".to_owned(), value.to_owned())];
            section::<Config>("GITDEPLOY_BUILD_", &vars).map(|config| config.variants)
        };
        assert_eq!(of("br, gzip").unwrap(), [Encoding::Br, Encoding::Gzip]);
        assert_eq!(of("none").unwrap(), []);
        assert!(of("deflate").unwrap_err().to_string().contains("GITDEPLOY_BUILD_VARIANTS"));
    }

    #[test]
    fn lists_may_have_spaces() {
        let vars = [("GITDEPLOY_BUILD_PASS".to_owned(), "A, B ,,C".to_owned())];
        let config: Config = section("GITDEPLOY_BUILD_", &vars).unwrap();
        assert_eq!(config.pass, ["A", "B", "C"]);
        assert_eq!(config.allow_schemes, ["https", "ssh"]);
    }

    #[test]
    fn users_are_a_range() {
        let users = |text: &str| {
            let vars = [("GITDEPLOY_BUILD_USERS".to_owned(), text.to_owned())];
            section::<Config>("GITDEPLOY_BUILD_", &vars).map(|config| config.users)
        };
        assert_eq!(users("2000-2003").unwrap(), 2000..=2003);
        assert_eq!(users("2000").unwrap(), 2000..=2000);
        for wrong in ["0-3", "3-1", "build", "1-", "1-2-3"] {
            let error = users(wrong).unwrap_err();
            assert_eq!(error.variable, "GITDEPLOY_BUILD_USERS");
            assert!(error.reason.starts_with("it is no range of users"), "{error}");
        }
    }
}
