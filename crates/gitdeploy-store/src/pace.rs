//! How many requests are under way, which follows from what the store says; and the repetition of those that fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::StoreError;

/// How often a request is tried.
const TRIES: u32 = 10;

/// How long the first wait is at most, and any.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What many writes have in common so that they go as fast as the store takes them: see
/// [`Put::pace`](crate::Put::pace). Clones are the same pace.
///
/// The number of requests under way is halved when the store says that it has too much to do, and grows by one when
/// as many as are under way have succeeded. A request that fails in a way that may pass is repeated alone, whether it
/// carries an object or a part of one. A store that is no service, such as a directory, has no pace.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    permits: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How many may be under way.
    limit: usize,
    /// How many permits have to be taken out of circulation.
    owed: usize,
    /// How many have succeeded since the limit changed.
    succeeded: usize,
    /// How often it was halved.
    halved: u64,
}

/// The permit of one request.
struct Turn<'a> {
    permit: SemaphorePermit<'a>,
    /// How often the limit had been halved when it began.
    halved: u64,
}

impl Pace {
    /// A pace with `most` requests under way at first, and never more.
    pub fn new(most: usize) -> Self {
        let state = Mutex::new(State { limit: most, owed: 0, succeeded: 0, halved: 0 });
        Self(Arc::new(Shared { most, permits: Semaphore::new(most), state }))
    }

    /// Does `work`, which is one request, when it is its turn, and again if it fails in a way that may pass.
    pub(crate) async fn run<T, W>(&self, mut work: impl FnMut() -> W) -> Result<T, StoreError>
    where
        W: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = 1;
        loop {
            let turn = self.0.turn().await;
            let result = work().await;
            self.0.learn(turn, result.as_ref().err());
            match result {
                Err(error) if error.is_transient() && tries < TRIES => {
                    tracing::debug!(%error, tries, "a request is repeated");
                    tokio::time::sleep(wait(tries)).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }
}

impl Shared {
    async fn turn(&self) -> Turn<'_> {
        let permit = self.permits.acquire().await.expect("nobody closes it");
        Turn { permit, halved: self.state.lock().expect("no panic while locked").halved }
    }

    fn learn(&self, turn: Turn<'_>, error: Option<&StoreError>) {
        let mut state = self.state.lock().expect("no panic while locked");
        match error {
            None => state.grow(self),
            // Those that began before the limit was halved say nothing about the new one.
            Some(error) if error.is_throttled() && turn.halved == state.halved => state.halve(),
            Some(_) => {}
        }
        if state.owed > 0 {
            state.owed -= 1;
            turn.permit.forget();
        }
    }
}

impl State {
    fn grow(&mut self, shared: &Shared) {
        self.succeeded += 1;
        if self.succeeded < self.limit || self.limit == shared.most {
            return;
        }
        self.succeeded = 0;
        self.limit += 1;
        match self.owed.checked_sub(1) {
            Some(owed) => self.owed = owed,
            None => shared.permits.add_permits(1),
        }
    }

    fn halve(&mut self) {
        let half = (self.limit / 2).max(1);
        self.owed += self.limit - half;
        self.limit = half;
        self.succeeded = 0;
        self.halved += 1;
        tracing::debug!(limit = half, "the store is busy");
    }
}

/// A random time that doubles with each try.
fn wait(tries: u32) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_WAIT);
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    longest / 2 + (longest / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::try_join_all;

    use super::*;

    const MOST: usize = 64;

    fn throttled() -> StoreError {
        StoreError::Throttled { context: "cannot write `x`".to_owned(), source: "SlowDown".into() }
    }

    impl Pace {
        fn limit(&self) -> usize {
            self.0.state.lock().unwrap().limit
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_store_halves_it_once_for_all_that_were_under_way_and_success_grows_it() {
        let pace = Pace::new(MOST);
        let calls = AtomicUsize::new(0);
        let busy_at_first = || async {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if call < MOST { Err(throttled()) } else { Ok(()) }
        };
        try_join_all((0..MOST).map(|_| pace.run(busy_at_first))).await.unwrap();
        assert!((32..=33).contains(&pace.limit()), "{}", pace.limit());

        try_join_all((0..3000).map(|_| pace.run(|| async { Ok(()) }))).await.unwrap();
        assert_eq!(pace.limit(), MOST);
        assert_eq!(pace.0.permits.available_permits(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_are_under_way() {
        let (pace, running, most) = (Pace::new(MOST), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || async {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
            running.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        };
        try_join_all((0..300).map(|_| pace.run(work))).await.unwrap();
        assert_eq!(most.into_inner(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn it_finds_out_how_much_a_store_takes() {
        const TAKES: usize = 5;
        let (pace, running, refused) = (Pace::new(MOST), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || async {
            let others = running.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
            running.fetch_sub(1, Ordering::Relaxed);
            if others < TAKES {
                return Ok(());
            }
            refused.fetch_add(1, Ordering::Relaxed);
            Err(throttled())
        };
        try_join_all((0..500).map(|_| pace.run(work))).await.unwrap();
        assert!(pace.limit() <= 2 * TAKES, "{}", pace.limit());
        assert!(refused.into_inner() < 500);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_said_in_the_end() {
        let (pace, tries) = (Pace::new(MOST), AtomicUsize::new(0));
        let failing = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(throttled())
        };
        assert!(pace.run(failing).await.is_err());
        assert_eq!(tries.into_inner(), TRIES as usize);
        let refused = pace.run(|| async { Err::<(), _>(StoreError::NotFound("x".to_owned())) }).await;
        assert!(refused.is_err());
    }
}
