//! Leases: which process looks after a build.
//!
//! The process that has claimed a deployment says in the catalog until when it promises to look after it, and
//! says so again while it does. When it is gone, the lease runs out and another process takes over; see
//! [`recover`](crate::recover).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::catalog::Deployment;
use crate::control::Control;

/// How long a process that says nothing is still believed to look after its builds.
const LIFE: SignedDuration = SignedDuration::from_secs(30);

/// How often a lease is renewed. That a deployment is to be canceled, as another process was told, is seen
/// within this time.
const RENEW: Duration = Duration::from_secs(5);

/// Until when a process that claims a build now promises to look after it.
pub(crate) fn from_now() -> Timestamp {
    Timestamp::now() + LIFE
}

/// A lease that is renewed for as long as the value lives.
#[derive(Debug)]
pub(crate) struct Lease {
    lost: CancellationToken,
    _renewing: AbortOnDropHandle<()>,
}

impl Lease {
    /// Renews the lease of a build that this process has claimed or taken over. Cancels `stop` when the
    /// catalog says that the deployment is to be canceled.
    pub(crate) fn keep(control: &Control, deployment: &Deployment, stop: &CancellationToken) -> Self {
        let lost = CancellationToken::new();
        let renewing = renew(control.clone(), deployment.clone(), stop.clone(), lost.clone());
        Self { lost, _renewing: AbortOnDropHandle::new(tokio::spawn(renewing)) }
    }

    /// Completes when the build is none of ours any more: it has ended, another attempt has begun, or another process
    /// has taken over.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

async fn renew(control: Control, deployment: Deployment, stop: CancellationToken, lost: CancellationToken) {
    loop {
        // A catalog of one process has nobody who could take over.
        let once = !control.catalog.is_shared();
        match control.catalog.renew(&deployment.id, deployment.attempt, from_now()).await {
            Ok(Some(current)) => {
                if current.cancel_requested {
                    stop.cancel();
                }
                if once {
                    return;
                }
            }
            Ok(None) => return lost.cancel(),
            // Should another process take over meanwhile, the next renewal says so.
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                deployment.id = %deployment.id,
                "a lease is not renewed"
            ),
        }
        tokio::time::sleep(RENEW).await;
    }
}
