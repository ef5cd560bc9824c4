//! `POST /v1/grants`: what `gitdeploy explain` asks a site with, in the place of the token.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Host;

use super::App;
use crate::problem::ApiError;

/// The longest name of a host, in bytes (RFC 1035 §2.3.4).
const LONGEST: usize = 253;

/// What a grant is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateGrant {
    /// The host, without a port.
    pub host: String,
}

/// A grant: whoever sends it to the host, in `GitDeploy-Explain`, is told why the proxy answers as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// The host, as proxies compare it.
    pub host: String,
    /// The grant.
    pub grant: String,
    /// When it ends.
    pub until: Timestamp,
}

pub(super) async fn create(State(app): State<App>, body: Bytes) -> Result<Json<GrantView>, ApiError> {
    let request: CreateGrant =
        serde_json::from_slice(&body).map_err(|error| ApiError::Body(error.to_string()))?;
    let host = normalized(&request.host).ok_or_else(|| {
        let detail = format!("`{}` is not the name of a host at which a site can be served", request.host);
        ApiError::invalid("host", detail).hint("give a name such as `blog.example.org`, without a port")
    })?;
    let grant = app.control.grant(&host).await?;
    Ok(Json(GrantView { host, grant: grant.to_string(), until: grant.until() }))
}

/// A host as proxies read it: in lower case, in ASCII, and without the dot at its end. None is served at an address.
fn normalized(host: &str) -> Option<String> {
    let Ok(Host::Domain(name)) = Host::parse(host) else { return None };
    let name = name.strip_suffix('.').unwrap_or(&name);
    (name.contains('.') && name.len() <= LONGEST).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_form() {
        for (host, expected) in [
            ("blog.localhost", Some("blog.localhost")),
            ("Blog.Example.ORG.", Some("blog.example.org")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("localhost", None),
            ("", None),
            (".", None),
            ("192.0.2.7", None),
            ("[::1]", None),
            ("blog.localhost:8080", None),
            ("https://blog.localhost", None),
            ("a b.example", None),
            (&format!("{}.example", "a.".repeat(200)), None),
        ] {
            assert_eq!(normalized(host).as_deref(), expected, "{host}");
        }
    }
}
