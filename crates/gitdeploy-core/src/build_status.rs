//! How a build stands, for visitors of a host that does not lead to a finished deployment.

use serde::{Deserialize, Serialize};

use crate::ids::{DeploymentId, ProjectId};
use crate::state::State;

/// The version that this code writes. A reader passes over fields that it does not know.
pub const VERSION: u32 = 1;

/// How the build stands that would give a host its first deployment. Only the upload service writes it; it is gone
/// once there is something to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStatus {
    /// The version of the format.
    pub version: u32,
    /// The project.
    pub project: ProjectId,
    /// The deployment that is built.
    pub deployment: DeploymentId,
    /// How far it is.
    pub state: State,
    /// What went wrong, as the failure says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Where its log is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_json() {
        let status = BuildStatus {
            version: VERSION,
            project: "blog".parse().unwrap(),
            deployment: "1m7wywrav60000000000".parse().unwrap(),
            state: State::Failed,
            cause: Some("the build command failed".to_owned()),
            log: Some("http://localhost:8081/deployments/1m7wywrav60000000000".to_owned()),
        };
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<BuildStatus>(&json).unwrap(), status);
    }
}
