//! The settings of the proxy.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gitdeploy_runtime::SettingError;
use http::header::HeaderName;
use serde::Deserialize;

use crate::connection::Limits;
use crate::host::Domain;
use crate::tls::{CertificateError, Certificates};
use crate::visitor::{Networks, Trust};

/// The settings `GITDEPLOY_PROXY_*`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to listen for TLS.
    pub tls_listen: Option<SocketAddr>,
    /// The PEM files of certificates, each with those that vouch for it.
    pub tls_certificate: Vec<PathBuf>,
    /// The PEM files of their keys, in the same order.
    pub tls_key: Vec<PathBuf>,
    /// Where the operator asks for health, readiness and metrics.
    pub admin_listen: Option<SocketAddr>,
    /// Which neighbours are believed.
    pub trusted: Networks,
    /// Whether these begin connections with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Whether these may say in a header which host was asked for.
    pub forwarded_host: bool,
    /// The header in which these say the visitor's country.
    pub country_header: Option<String>,
    /// Whether each answer is a line on standard output.
    pub access_log: bool,
    /// How many connections there may be.
    pub connections: usize,
    /// How many of them may be from one address.
    pub connections_per_address: usize,
    /// How many requests from one address may be under way.
    pub requests_per_address: usize,
    /// How many requests for one host may be under way.
    pub requests_per_site: usize,
    /// How long connections are still accepted once the process is told to stop, in seconds.
    pub drain_delay_seconds: u64,
    /// The domain under whose labels sites are served.
    pub domain: Domain,
    /// How many bytes of files are kept in memory.
    pub cache_bytes: u64,
    /// How many bytes of routes are kept in memory, and of whatever else names lead to, about.
    pub route_bytes: u64,
    /// How many bytes of the manifests of deployments are kept in memory, about.
    pub manifest_bytes: u64,
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

    /// How many connections and requests are allowed.
    pub fn limits(&self) -> Limits {
        Limits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            requests_per_address: self.requests_per_address,
            requests_per_site: self.requests_per_site,
            ..Limits::default()
        }
    }

    /// Whom is believed, and what.
    pub fn trust(&self) -> Result<Trust, SettingError> {
        let invalid =
            |_| SettingError::new("GITDEPLOY_PROXY_COUNTRY_HEADER", "it is not the name of a header");
        let country_header = self.country_header.as_deref().map(HeaderName::try_from).transpose();
        Ok(Trust {
            networks: self.trusted.clone(),
            believes_host: self.forwarded_host,
            country_header: country_header.map_err(invalid)?,
        })
    }

    /// The certificates, if there is a port for them.
    pub fn certificates(&self) -> Result<Option<Certificates>, SettingError> {
        if self.tls_listen.is_none() {
            return Ok(None);
        }
        let invalid =
            |error: CertificateError| SettingError::new("GITDEPLOY_PROXY_TLS_CERTIFICATE", error.to_string());
        Certificates::read(&self.tls_certificate, &self.tls_key).map(Some).map_err(invalid)
    }

    /// Where the process is asked how it is.
    pub fn asked_at(&self) -> SocketAddr {
        self.admin_listen.unwrap_or(self.listen)
    }

    /// How long connections are still accepted once the process is told to stop.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_secs(self.drain_delay_seconds)
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
        let limits = Limits::default();
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            tls_listen: None,
            tls_certificate: Vec::new(),
            tls_key: Vec::new(),
            admin_listen: None,
            trusted: Networks::default(),
            proxy_protocol: false,
            forwarded_host: false,
            country_header: None,
            access_log: true,
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            requests_per_address: limits.requests_per_address,
            requests_per_site: limits.requests_per_site,
            drain_delay_seconds: 0,
            domain: Domain::default(),
            cache_bytes: 256 << 20,
            route_bytes: 32 << 20,
            manifest_bytes: 96 << 20,
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
        assert_eq!(
            read("GITDEPLOY_PROXY_TRUSTED", "10.0.0.0/8,everybody").unwrap_err(),
            "invalid setting `GITDEPLOY_PROXY_TRUSTED`: a list of networks such as `10.0.0.0/8`, or of addresses, \
             with commas between them is expected"
        );
        assert_eq!(
            read("GITDEPLOY_PROXY_COUNTRY_HEADER", "a b").unwrap().trust().unwrap_err().to_string(),
            "invalid setting `GITDEPLOY_PROXY_COUNTRY_HEADER`: it is not the name of a header"
        );
        assert_eq!(
            read("GITDEPLOY_PROXY_TLS_LISTEN", "[::]:443").unwrap().certificates().unwrap_err().to_string(),
            "invalid setting `GITDEPLOY_PROXY_TLS_CERTIFICATE`: there are 0 certificates and 0 keys: each certificate \
             needs a key, in the same order"
        );
        assert_eq!(read("GITDEPLOY_PROXY_DOMAIN", "Example.COM.").unwrap().domain.as_str(), "example.com");
    }
}
