//! How fast launches follow each other, so that many at once are not all throttled.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// How long after it was last throttled the pace doubles again.
const CALM: Duration = Duration::from_secs(10);

/// Answers within this time tell of the same throttling.
const SAME: Duration = Duration::from_secs(1);

/// How often the pace is halved at most.
const MOST_HALVINGS: u32 = 5;

/// Gives turns, evenly spaced, in the order in which they are asked for.
#[derive(Debug)]
pub(super) struct Pacer {
    every: Duration,
    next: tokio::sync::Mutex<Instant>,
    slowness: Mutex<Slowness>,
}

#[derive(Debug)]
struct Slowness {
    halvings: u32,
    since: Instant,
}

impl Pacer {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        let now = Instant::now();
        Self {
            every: Duration::from_secs(1) / per_second.get(),
            next: tokio::sync::Mutex::new(now),
            slowness: Mutex::new(Slowness { halvings: 0, since: now }),
        }
    }

    /// Waits for the next turn. The future may be dropped.
    pub(super) async fn turn(&self) {
        let mut next = self.next.lock().await;
        tokio::time::sleep_until(*next).await;
        let now = Instant::now();
        *next = now + self.every * (1 << self.slowness(|slowness| slowness.halvings(now)));
    }

    /// Halves the pace for a while: a launch was throttled.
    pub(super) fn throttled(&self) {
        self.slowness(|slowness| slowness.throttled(Instant::now()));
    }

    fn slowness<T>(&self, use_it: impl FnOnce(&mut Slowness) -> T) -> T {
        use_it(&mut self.slowness.lock().expect("no panic while locked"))
    }
}

impl Slowness {
    fn halvings(&mut self, now: Instant) -> u32 {
        while self.halvings > 0 && now.duration_since(self.since) >= CALM {
            self.halvings -= 1;
            self.since += CALM;
        }
        self.halvings
    }

    fn throttled(&mut self, now: Instant) {
        if self.halvings(now) == 0 || now.duration_since(self.since) >= SAME {
            self.halvings = (self.halvings + 1).min(MOST_HALVINGS);
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(per_second: u32) -> Pacer {
        Pacer::new(NonZeroU32::new(per_second).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_turns_a_second_than_allowed() {
        let (pacer, start) = (pacer(10), Instant::now());
        for _ in 0..31 {
            pacer.turn().await;
        }
        assert_eq!(start.elapsed().as_millis() / 100, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_pace_for_a_while() {
        let pacer = pacer(10);
        let pace = async || {
            pacer.turn().await;
            let start = Instant::now();
            pacer.turn().await;
            start.elapsed().as_millis() / 10
        };
        assert_eq!(pace().await, 10);
        for _ in 0..20 {
            pacer.throttled();
        }
        assert_eq!(pace().await, 20, "twenty answers at the same time are one throttling");
        tokio::time::sleep(SAME).await;
        pacer.throttled();
        assert_eq!(pace().await, 40);
        tokio::time::sleep(CALM).await;
        assert_eq!(pace().await, 20);
        tokio::time::sleep(CALM * 9).await;
        assert_eq!(pace().await, 10);
    }
}
