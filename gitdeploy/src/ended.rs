//! How a deployment ended, and what is told of it.

use upload_service::api::DeploymentView;

/// A deployment that has come to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) deployment: DeploymentView,
    pub(crate) exit_code: u8,
}

impl Ended {
    /// The address that is worth telling: the project's, if it leads to this deployment.
    pub(crate) fn url(&self) -> &str {
        let deployment = &self.deployment;
        match &deployment.production_url {
            Some(url) if deployment.production => url,
            _ => &deployment.url,
        }
    }
}
