//! The settings of the proxy.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use crate::host::Domain;

/// The settings `GITDEPLOY_PROXY_*`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The domain under whose labels sites are served.
    pub domain: Domain,
    /// How many bytes of files are kept in memory.
    pub cache_bytes: u64,
    /// How many bytes of manifests and routes are kept in memory, about.
    pub record_bytes: u64,
    /// How long the store may take to begin an answer, in seconds. A visitor waits for at most two of these.
    pub store_seconds: u64,
    /// How long to wait for the store at the start, in seconds.
    pub ready_seconds: u64,
    /// How long requests in flight may take once the process is told to stop, in seconds.
    pub grace_seconds: u64,
}

impl Config {
    /// How long the store may take to begin an answer.
    pub fn store(&self) -> Duration {
        Duration::from_secs(self.store_seconds)
    }

    /// How long to wait for the store at the start.
    pub fn ready(&self) -> Duration {
        Duration::from_secs(self.ready_seconds)
    }

    /// How long requests in flight may take once the process is told to stop.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            domain: Domain::default(),
            cache_bytes: 256 << 20,
            record_bytes: 128 << 20,
            store_seconds: 5,
            ready_seconds: 30,
            grace_seconds: 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use gitdeploy_runtime::section;

    use super::*;

    fn read(name: &str, value: &str) -> Result<Config, String> {
        section("GITDEPLOY_PROXY_", &[(name.to_owned(), value.to_owned())]).map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_has_a_default() {
        let config: Config = section("GITDEPLOY_PROXY_", &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.domain.as_str(), "localhost");
        assert_eq!(config.cache_bytes, 268_435_456);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert_eq!(
            read("GITDEPLOY_PROXY_LISTEN", "8080").unwrap_err(),
            "invalid setting `GITDEPLOY_PROXY_LISTEN`: invalid socket address syntax"
        );
        assert_eq!(
            read("GITDEPLOY_PROXY_DOMAIN", "sites.example.com:8080").unwrap_err(),
            "invalid setting `GITDEPLOY_PROXY_DOMAIN`: a domain consists of labels of `a-z`, `0-9` and `-` \
             with dots between them, and has no port"
        );
        assert_eq!(read("GITDEPLOY_PROXY_DOMAIN", "Example.COM.").unwrap().domain.as_str(), "example.com");
    }
}
