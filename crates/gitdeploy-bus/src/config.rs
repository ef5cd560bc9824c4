//! Which bus to use.

use redis::IntoConnectionInfo as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, de};

/// The settings `GITDEPLOY_BUS_*`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BusConfig {
    /// Where Redis is: `redis://[user:password@]host:port[/database]`, or `rediss://` with TLS. Absent: events stay
    /// in memory.
    #[serde(deserialize_with = "redis_url")]
    pub redis_url: Option<SecretString>,
}

pub(crate) const URL_FORM: &str = "it must look like `redis://host:6379`, or `rediss://host:6379` with TLS";

fn redis_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let url = Option::<SecretString>::deserialize(deserializer)?;
    match &url {
        Some(url) if url.expose_secret().into_connection_info().is_err() => Err(de::Error::custom(URL_FORM)),
        _ => Ok(url),
    }
}
