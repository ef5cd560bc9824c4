//! A circuit breaker before the store: while it fails, nobody waits to see it fail once more.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::Fault;

/// How many requests in a row fail before no more are sent.
const FAILURES: u32 = 8;

/// How long no request is sent; then one at a time shows whether the store is back.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of the store's health. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// The last failure, and until when it is the answer to every request.
    open: Option<(Fault, Instant)>,
}

impl Breaker {
    /// Whether a request may be sent; else how it would fail.
    pub(crate) fn admit(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        if let Some((fault, until)) = &mut state.open {
            let now = Instant::now();
            if now < *until {
                return Err(fault.clone());
            }
            // This one is the trial. The others wait for what comes of it.
            *until = now + PAUSE;
        }
        Ok(())
    }

    /// The store answered, whatever it said.
    pub(crate) fn works(&self) {
        let mut state = self.lock();
        if state.failures > 0 {
            if state.open.is_some() {
                tracing::info!("the store answers again");
            }
            *state = State::default();
        }
    }

    /// The store failed.
    pub(crate) fn failed(&self, fault: &Fault) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            if state.open.is_none() {
                tracing::warn!(%fault, "the store fails again and again; it is asked once a second");
            }
            state.open = Some((fault.clone(), Instant::now() + PAUSE));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while locked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_is_asked_once_a_second_until_it_is_back() {
        let breaker = Breaker::default();
        let fault = Fault::Timeout(PAUSE);
        for _ in 1..FAILURES {
            breaker.failed(&fault);
        }
        breaker.works();
        for _ in 0..FAILURES {
            assert!(breaker.admit().is_ok(), "one success forgives what came before");
            breaker.failed(&fault);
        }
        assert!(breaker.admit().is_err());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.admit().is_ok());
        assert!(breaker.admit().is_err(), "one at a time");
        breaker.failed(&fault);
        assert!(breaker.admit().is_err());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.admit().is_ok());
        breaker.works();
        assert!(breaker.admit().is_ok() && breaker.admit().is_ok());
    }
}
