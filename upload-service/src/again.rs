//! Another attempt, when the platform and not the author is at fault.

use gitdeploy_bus::Batch;
use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Body, End, Event, keys};
use jiff::Timestamp;

use crate::build::Seen;
use crate::catalog::Deployment;
use crate::conclude::LeftToTheNext;
use crate::control::Control;
use crate::launcher::Ended;
use crate::persist::Unanswered;

/// How often a deployment is started at most.
const ATTEMPTS: u64 = 3;

/// Whether there is another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// The deployment waits for it, or has come to its end by somebody else: nothing is left to do.
    Yes,
    /// This attempt was the last.
    No,
}

impl Control {
    /// Lets a deployment wait for its next attempt, if another may help.
    pub(crate) async fn starts_again(
        &self,
        deployment: &Deployment,
        seen: &Seen,
        ended: &Ended,
    ) -> Result<Again, LeftToTheNext> {
        let open = |end: Option<&End>| end.is_none_or(|end| end.state == Outcome::Canceled);
        if !ended.again || !open(seen.end.as_ref()) || deployment.attempt.0 >= ATTEMPTS {
            return Ok(Again::No);
        }
        // What the builder could not say over the bus stands in the store.
        if !open(self.archived_end(&deployment.id).await?.as_ref())
            || self.published_end(deployment).await?.is_some()
        {
            return Ok(Again::No);
        }
        let why = ended.failure.as_ref().map_or(&ended.reason, |failure| &failure.cause);
        if seen.end.is_none() {
            self.tell_again(deployment, seen, why).await;
        }
        // What the builder has archived would be taken for the end of the next attempt.
        let key = keys::log(&deployment.output());
        match self.persist("remove the log of an attempt", || self.store.delete(&key)).await {
            Ok(()) => {}
            Err(Unanswered::Refused(_)) => return Ok(Again::No),
            Err(Unanswered::Stopping) => return Err(LeftToTheNext),
        }
        let restart = || self.catalog.restart(&deployment.id, deployment.attempt);
        match self.persist("start a build again", restart).await {
            Ok(true) => {}
            Ok(false) => return self.whose_end(deployment).await,
            Err(_) => return Err(LeftToTheNext),
        }
        tracing::warn!(
            deployment.id = %deployment.id,
            attempt = deployment.attempt.0,
            reason = why,
            "deployment {} is built again",
            deployment.id
        );
        self.take_back(deployment).await;
        self.active.changed();
        self.wake.notify_one();
        Ok(Again::Yes)
    }

    /// Whether an attempt that does not become another is still ours to conclude: it was canceled. Else somebody
    /// else has been faster.
    async fn whose_end(&self, deployment: &Deployment) -> Result<Again, LeftToTheNext> {
        let current = self.persist("read a deployment", || self.catalog.get(&deployment.id)).await;
        match current.map_err(|_| LeftToTheNext)? {
            Some(now) if now.attempt == deployment.attempt && now.state.runs() => Ok(Again::No),
            _ => Ok(Again::Yes),
        }
    }

    /// Says in the log why it begins anew. A log without that is no less true.
    async fn tell_again(&self, deployment: &Deployment, seen: &Seen, why: &str) {
        let seq = seen.position.map_or(1, |position| position.seq + 1);
        let event = Event {
            seq,
            at: Timestamp::now(),
            body: Body::Notice { text: format!("{why}: the build starts again") },
        };
        let batch = Batch { attempt: deployment.attempt, events: vec![event] };
        if let Err(error) = self.bus.publish(&deployment.output(), &batch).await {
            tracing::warn!(%error, deployment.id = %deployment.id, "readers are not told that the build starts again");
        }
    }
}
