//! Trying until it succeeds, for as long as that can help and the process may live.

use std::time::Duration;

use gitdeploy_store::StoreError;

use crate::catalog::CatalogError;
use crate::control::Control;
use crate::launcher::STOP_GRACE;

/// How long to wait before something that failed is tried again, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Unanswered<E> {
    /// The process has to stop: the next one asks again.
    Stopping,
    /// Trying again does not help.
    Refused(E),
}

/// An error that may pass.
pub(crate) trait Passing: std::error::Error + 'static {
    /// Whether trying again may help.
    fn passes(&self) -> bool;
}

impl Passing for StoreError {
    fn passes(&self) -> bool {
        self.is_transient()
    }
}

impl Passing for CatalogError {
    fn passes(&self) -> bool {
        self.is_transient()
    }
}

impl Control {
    /// Tries until it succeeds or cannot, or until this process has to leave it to the next.
    pub(crate) async fn persist<T, E: Passing, F: Future<Output = Result<T, E>>>(
        &self,
        what: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Unanswered<E>> {
        tokio::select! {
            done = persist(what, attempt) => done.map_err(Unanswered::Refused),
            () = self.gave_up() => Err(Unanswered::Stopping),
        }
    }

    /// A process that is told to stop has less time than one that cancels a build, and needs a second of it
    /// to write the end.
    pub(crate) fn stop_grace(&self) -> Duration {
        if self.stopping.is_cancelled() {
            let grace = Duration::from_secs(self.config.grace_seconds);
            grace.saturating_sub(Duration::from_secs(2)).max(grace / 2)
        } else {
            STOP_GRACE
        }
    }

    /// Completes when the process was told to stop and its grace is nearly over: what is not done by then is
    /// left to the next process.
    async fn gave_up(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(self.stop_grace() + Duration::from_secs(1)).await;
    }
}

/// Tries, with pauses that grow, until it succeeds or fails for good.
pub(crate) async fn persist<T, E: Passing, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E> {
    let mut pause = Duration::from_millis(250);
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) if error.passes() => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot {what}; trying again");
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot {what}");
                return Err(error);
            }
        }
        tokio::time::sleep(pause).await;
        pause = longer(pause);
    }
}

/// The pause after this one.
pub(crate) fn longer(pause: Duration) -> Duration {
    LONGEST_PAUSE.min(pause * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_is_tried_again() {
        let outage = || StoreError::Unavailable { context: "x".to_owned(), source: "y".into() };
        let mut errors = vec![StoreError::TooLarge { limit: 1 }, outage(), outage()];
        let mut tries = 0;
        let result = persist("try", || {
            tries += 1;
            let error = errors.pop().expect("it stops at the error that stays");
            std::future::ready(Err::<(), _>(error))
        });
        assert!(matches!(result.await, Err(StoreError::TooLarge { limit: 1 })));
        assert_eq!(tries, 3);
    }
}
