//! The settings of the control plane.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use gitdeploy_core::{DeploymentId, ProjectId};
use gitdeploy_runtime::{SettingError, Vars, section};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// The shortest token that is taken from the settings, in characters.
const MIN_TOKEN: usize = 20;

/// The settings `GITDEPLOY_API_*`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Where the catalog, the token and uploads on their way are kept.
    pub data_directory: PathBuf,
    /// The token of the operator; absent: the one in the file `token` of the data directory, which is made.
    pub token: Option<SecretString>,
    /// The builder's program; absent: `build-server` beside this program.
    pub builder: Option<PathBuf>,
    /// The image of the builder: each build runs in a container of its own, started with the `docker` command;
    /// absent: builders are plain processes.
    pub builder_image: Option<String>,
    /// Options of `docker run` for builders, separated by commas, such as `--network=host`.
    pub builder_options: Vec<String>,
    /// Where people reach this service: the page of a failed build links to its log there; absent: it links nowhere.
    pub public_url: Option<url::Url>,
    /// The address of a site.
    pub sites_url: SitesUrl,
    /// How many builds run at the same time.
    pub builds_at_once: NonZeroUsize,
    /// How large the files of an uploaded archive may be together, in bytes.
    pub upload_limit_bytes: u64,
    /// How long the store and the bus may take to be reached at the start, in seconds.
    pub ready_seconds: u64,
    /// How long requests and builds may take to end when the process is told to stop, in seconds.
    pub grace_seconds: u64,
    /// Hosts, with or without a port, under which the service is reached besides the loopback names.
    pub hosts: Vec<String>,
}

/// The address of a site, with `{label}` where the project's name or the deployment's id goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SitesUrl(String);

/// A text that is no address of sites.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must be an `http` or `https` address with `{{label}}` in its host, such as `http://{{label}}.localhost:8080/`"
)]
pub struct SitesUrlError;

impl Config {
    /// Reads the settings.
    pub fn from_vars(vars: &Vars) -> Result<Self, SettingError> {
        let config: Self = section("GITDEPLOY_API_", vars)?;
        if config.token.as_ref().is_some_and(|token| token.expose_secret().len() < MIN_TOKEN) {
            let reason = format!("a token has at least {MIN_TOKEN} characters");
            return Err(SettingError::new("GITDEPLOY_API_TOKEN", reason));
        }
        Ok(config)
    }

    /// Whether the project's host would be one of this service's own.
    pub(crate) fn reserves(&self, project: &ProjectId) -> bool {
        let site = url::Url::parse(&self.sites_url.of(project.as_str())).ok();
        let site = site.as_ref().and_then(url::Url::host_str);
        let bare = |host: &str| host.split_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
        site.is_some_and(|site| self.hosts.iter().any(|host| bare(host) == site))
    }

    /// Where people find the log of a deployment.
    pub(crate) fn log_page(&self, id: &DeploymentId) -> Option<String> {
        let url = self.public_url.as_ref()?.join(&format!("deployments/{id}")).ok()?;
        Some(url.to_string())
    }

    /// The builder's program.
    pub fn builder_path(&self) -> std::io::Result<PathBuf> {
        match &self.builder {
            Some(path) => Ok(path.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("build-server")),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: crate::DEFAULT_LISTEN,
            data_directory: PathBuf::from(".gitdeploy"),
            token: None,
            builder: None,
            builder_image: None,
            builder_options: Vec::new(),
            public_url: None,
            sites_url: SitesUrl("http://{label}.localhost:8080/".to_owned()),
            builds_at_once: NonZeroUsize::new(2).expect("two is not zero"),
            upload_limit_bytes: 1 << 30,
            ready_seconds: 30,
            grace_seconds: 10,
            hosts: Vec::new(),
        }
    }
}

impl SitesUrl {
    /// The address of the site with this label.
    pub fn of(&self, label: impl AsRef<str>) -> String {
        self.0.replace("{label}", label.as_ref())
    }
}

impl TryFrom<String> for SitesUrl {
    type Error = SitesUrlError;

    fn try_from(text: String) -> Result<Self, SitesUrlError> {
        let sample = url::Url::parse(&text.replace("{label}", "label")).map_err(|_| SitesUrlError)?;
        let in_host = sample.host_str().is_some_and(|host| host.contains("label"));
        if !matches!(sample.scheme(), "http" | "https") || !in_host || text.matches("{label}").count() != 1 {
            return Err(SitesUrlError);
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(list: &[(&str, &str)]) -> Result<Config, SettingError> {
        let vars: Vars = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::from_vars(&vars)
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let config = config(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8081");
        assert_eq!(config.sites_url.of("blog"), "http://blog.localhost:8080/");
    }

    #[test]
    fn settings_are_read() {
        let config = config(&[
            ("GITDEPLOY_API_LISTEN", "0.0.0.0:80"),
            ("GITDEPLOY_API_SITES_URL", "https://{label}.example.org/"),
            ("GITDEPLOY_API_BUILDS_AT_ONCE", "5"),
            ("GITDEPLOY_API_HOSTS", "deploy.example.org,10.0.0.1:8081"),
        ])
        .unwrap();
        assert_eq!(config.sites_url.of("blog"), "https://blog.example.org/");
        assert_eq!(config.builds_at_once.get(), 5);
        assert_eq!(config.hosts, ["deploy.example.org", "10.0.0.1:8081"]);
    }

    #[test]
    fn a_project_never_takes_the_host_of_the_service() {
        let config = config(&[
            ("GITDEPLOY_API_SITES_URL", "https://{label}.example.org/"),
            ("GITDEPLOY_API_HOSTS", "API.example.org:443"),
        ])
        .unwrap();
        assert!(config.reserves(&"api".parse().unwrap()));
        assert!(!config.reserves(&"blog".parse().unwrap()));
        assert!(!Config::default().reserves(&"api".parse().unwrap()));
    }

    #[test]
    fn the_wrong_setting_is_named() {
        let check = |name: &str, value: &str| {
            let error = config(&[(name, value)]).unwrap_err();
            assert_eq!(error.variable, name, "{error}");
        };
        check("GITDEPLOY_API_LISTEN", "nowhere");
        check("GITDEPLOY_API_SITES_URL", "http://sites.test/");
        check("GITDEPLOY_API_SITES_URL", "ftp://{label}.test/");
        check("GITDEPLOY_API_SITES_URL", "http://sites.test/{label}");
        check("GITDEPLOY_API_BUILDS_AT_ONCE", "0");
        check("GITDEPLOY_API_TOKEN", "hunter2");
    }
}
