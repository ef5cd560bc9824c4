//! How often somebody may try something.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// How many tries there are at once.
const AT_ONCE: u32 = 10;

/// How long it takes until there is one more.
const ONE_MORE: Duration = Duration::from_secs(6);

/// How many counts there are. Who shares one by chance shares its tries; nobody can make it happen.
const CELLS: usize = 16 << 10;

/// Counts tries in a fixed room, by the generic cell rate algorithm: of each holder it is known only when all of their
/// tries will be forgotten.
#[derive(Debug)]
pub(super) struct Rate {
    begin: Instant,
    hasher: RandomState,
    /// In milliseconds since the beginning.
    cells: Box<[AtomicU64]>,
}

impl Default for Rate {
    fn default() -> Self {
        let cells = (0..CELLS).map(|_| AtomicU64::new(0)).collect();
        Self { begin: Instant::now(), hasher: RandomState::new(), cells }
    }
}

impl Rate {
    /// Counts a try of `holder`, or says how long they have to wait for the next.
    pub(super) fn take(&self, holder: impl Hash) -> Result<(), Duration> {
        let (now, one) = (milliseconds(self.begin.elapsed()), milliseconds(ONE_MORE));
        let next =
            |cell: u64| Some(cell.max(now) + one).filter(|next| next - now <= one * u64::from(AT_ONCE));
        let taken = self.cell(holder).fetch_update(Relaxed, Relaxed, next);
        taken.map(|_| ()).map_err(|cell| {
            Duration::from_millis((cell + one).saturating_sub(now + one * u64::from(AT_ONCE)))
        })
    }

    /// Forgets a try of `holder`.
    pub(super) fn give_back(&self, holder: impl Hash) {
        let one = milliseconds(ONE_MORE);
        self.cell(holder).fetch_update(Relaxed, Relaxed, |cell| Some(cell.saturating_sub(one))).ok();
    }

    fn cell(&self, holder: impl Hash) -> &AtomicU64 {
        let index = self.hasher.hash_one(holder) % CELLS as u64;
        &self.cells[usize::try_from(index).unwrap_or_default()]
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tries_come_back_with_time() {
        let rate = Rate::default();
        for _ in 0..AT_ONCE {
            assert_eq!(rate.take("a"), Ok(()));
        }
        assert_eq!(rate.take("a"), Err(ONE_MORE));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(rate.take("a"), Err(Duration::from_secs(2)), "asking costs nothing");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(rate.take("a"), Ok(()));
        assert_eq!(rate.take("a"), Err(ONE_MORE));
        rate.give_back("a");
        assert_eq!(rate.take("a"), Ok(()));
        tokio::time::advance(Duration::from_hours(1)).await;
        let granted = (0..100).filter(|_| rate.take("a").is_ok()).count();
        assert_eq!(granted, AT_ONCE as usize, "no more than at the beginning");
    }
}
