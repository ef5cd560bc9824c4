//! How many lines a build may write in which time.

use std::time::{Duration, Instant};

/// Lines in a burst, and then lines a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) burst: u64,
    pub(crate) a_second: u64,
}

/// Allows lines within a limit. Once the limit was hit, it waits for a second's worth: so what is missing is one
/// piece a second, and not every other line.
#[derive(Debug)]
pub(super) struct Rate {
    limit: Limit,
    left: u64,
    filled: Instant,
    is_open: bool,
}

impl Rate {
    pub(super) fn new(limit: Limit, now: Instant) -> Self {
        Self { limit, left: limit.burst, filled: now, is_open: true }
    }

    pub(super) fn allows(&mut self, now: Instant) -> bool {
        if self.left == 0 || !self.is_open {
            self.fill(now);
            let enough = if self.is_open { 1 } else { self.limit.a_second.clamp(1, self.limit.burst.max(1)) };
            self.is_open = self.left >= enough;
        }
        if self.is_open {
            self.left -= 1;
        }
        self.is_open
    }

    fn fill(&mut self, now: Instant) {
        let more = now.duration_since(self.filled).as_micros() * u128::from(self.limit.a_second) / 1_000_000;
        let Ok(more) = u64::try_from(more) else { return };
        if more >= self.limit.burst {
            (self.left, self.filled) = (self.limit.burst, now);
        } else if more > 0 {
            self.left = self.limit.burst.min(self.left + more);
            self.filled += Duration::from_micros(more * 1_000_000 / self.limit.a_second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rate: &mut Rate, lines: u64, now: Instant) -> u64 {
        (0..lines).filter(|_| rate.allows(now)).count() as u64
    }

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(Limit { burst: 10_000, a_second: 2_000 }, start);
        assert_eq!(allowed(&mut rate, 50_000, start), 10_000);
        let mut shown = 0;
        for tick in 1..=100 {
            shown += allowed(&mut rate, 50_000, start + Duration::from_millis(100 * tick));
        }
        assert_eq!(shown, 20_000);
        assert_eq!(allowed(&mut rate, 50_000, start + Duration::from_mins(1)), 10_000);
    }

    #[test]
    fn lines_below_the_limit_are_all_allowed() {
        let start = Instant::now();
        let mut rate = Rate::new(Limit { burst: 100, a_second: 2_000 }, start);
        for tick in 0..10_000 {
            assert_eq!(allowed(&mut rate, 19, start + Duration::from_millis(10 * tick)), 19);
        }
    }

    #[test]
    fn what_is_missing_is_one_piece_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(Limit { burst: 10_000, a_second: 2_000 }, start);
        allowed(&mut rate, 10_000, start);
        let answers: Vec<_> =
            (0..100_000).map(|line| rate.allows(start + Duration::from_micros(line * 100))).collect();
        assert_eq!(answers.chunk_by(|one, other| one == other).filter(|chunk| chunk[0]).count(), 8);
    }
}
