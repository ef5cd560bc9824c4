//! How builds stand, for visitors of hosts that lead to nothing yet. It is only told: a record that cannot be
//! written holds up no build.

use std::time::Duration;

use gitdeploy_core::build_status::{self, BuildStatus};
use gitdeploy_core::{Failure, State, keys};
use gitdeploy_store::{Content, Put, StoreError};

use crate::catalog::{CatalogError, Deployment};
use crate::control::Control;

/// How long telling may take.
const TELLING: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum StatusError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Control {
    /// Shows visitors how the build of a deployment stands: at its own host, and at its project's as long as there
    /// is nothing else.
    pub(crate) async fn show_status(&self, deployment: &Deployment, state: State, failure: Option<&Failure>) {
        let reason = match tokio::time::timeout(TELLING, self.write_status(deployment, state, failure)).await
        {
            Ok(Ok(())) => return,
            Ok(Err(error)) => crate::problem::chain(&error),
            Err(_) => "the store did not answer".to_owned(),
        };
        tracing::warn!(reason, deployment.id = %deployment.id, "visitors are not shown how a build stands");
    }

    async fn write_status(
        &self,
        deployment: &Deployment,
        state: State,
        failure: Option<&Failure>,
    ) -> Result<(), StatusError> {
        let status = BuildStatus {
            version: build_status::VERSION,
            project: deployment.project.clone(),
            deployment: deployment.id.clone(),
            state,
            cause: failure.map(|failure| failure.cause.clone()),
            log: self.config.log_page(&deployment.id),
        };
        let has_site = self.catalog.production(&deployment.project).await?.is_some();
        let mut labels = vec![deployment.id.as_str()];
        if has_site == (state == State::Ready) {
            labels.push(deployment.project.as_str());
        }
        for label in labels {
            let Some(key) = keys::build_status(label) else { continue };
            if state == State::Ready {
                self.store.delete(&key).await?;
            } else {
                let json = serde_json::to_vec(&status).expect("a status has only text keys");
                let put = Put { content_type: Some("application/json".to_owned()), ..Put::default() };
                self.store.put(&key, Content::Bytes(json.into()), put).await?;
            }
            self.tell_moved(label).await;
        }
        Ok(())
    }
}
