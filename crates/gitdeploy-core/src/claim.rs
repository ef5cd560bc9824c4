//! What a builder fetches from the upload service because it must not stand in a task's environment, where
//! whoever may describe tasks can read it.
//!
//! `POST <claim URL>/claim` answers a [`ClaimRequest`] with a [`Claim`], `POST <claim URL>/credentials` with new
//! [`Credentials`], or `null` where none are lent. Both are sent with the claim token as `Authorization: Bearer`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Attempt;

/// The variables by which a builder knows where to claim.
pub mod variable {
    /// The address of the build at the upload service, such as `https://api.example.org/internal/v1/builds/<id>`.
    pub const URL: &str = "GITDEPLOY_CLAIM_URL";
    /// The token of this attempt. It is good for one builder only: the first that claims.
    pub const TOKEN: &str = "GITDEPLOY_CLAIM_TOKEN";
}

/// A builder asks for what belongs to its build.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// Which start of the deployment it is.
    pub attempt: Attempt,
    /// 256 random bits in hexadecimal that the builder has made: the first that are sent with the token are the only
    /// ones that are good with it. So a repeat after a lost answer is answered, and a token that somebody has
    /// read is of no use once the builder has claimed.
    pub session: String,
}

/// What belongs to a build.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Variables that count as if they stood in the builder's environment, before those that do: the build
    /// spec, and where the store and the bus are.
    pub variables: BTreeMap<String, String>,
    /// Who the builder is to the store; absent: its own environment says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

/// Credentials of S3 that end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// The token of the session.
    pub session_token: String,
    /// When they end.
    pub expires: Timestamp,
}

// What is secret is not shown, whatever prints it.

impl fmt::Debug for ClaimRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClaimRequest").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        formatter
            .debug_struct("Claim")
            .field("variables", &names)
            .field("credentials", &self.credentials)
            .finish()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_not_shown() {
        let credentials = Credentials {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: "hidden".to_owned(),
            session_token: "hidden".to_owned(),
            expires: Timestamp::UNIX_EPOCH,
        };
        let variables = [("GITDEPLOY_BUS_REDIS_URL".to_owned(), "hidden".to_owned())].into();
        let claim = Claim { variables, credentials: Some(credentials) };
        let request = ClaimRequest { attempt: Attempt::FIRST, session: "hidden".to_owned() };
        let shown = format!("{claim:?} {request:?}");
        assert!(shown.contains("GITDEPLOY_BUS_REDIS_URL") && shown.contains("ASIA"), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
