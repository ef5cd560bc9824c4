//! How many seats everybody holds who shares something.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Arc, Mutex, MutexGuard};

use foldhash::fast::RandomState;

/// How many locks the counts are spread over.
const PARTS: usize = 16;

/// Counts by who holds seats, up to a limit for each. Only who holds one is remembered.
///
/// Holders are told apart by a keyed hash of 64 bits: two of them sharing one count by chance does no harm, and
/// nobody can make it happen.
#[derive(Debug)]
pub(crate) struct Occupancy {
    limit: usize,
    hasher: RandomState,
    parts: [Mutex<HashMap<u64, usize, RandomState>>; PARTS],
}

/// One seat, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    occupancy: Arc<Occupancy>,
    holder: u64,
}

impl Occupancy {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, hasher: RandomState::default(), parts: Default::default() })
    }

    /// A seat for `holder`, unless it holds as many as it may.
    pub(crate) fn take(self: &Arc<Self>, holder: impl Hash) -> Option<Seat> {
        let holder = self.hasher.hash_one(holder);
        let mut part = self.part(holder);
        let held = part.entry(holder).or_default();
        if *held >= self.limit {
            if *held == 0 {
                part.remove(&holder);
            }
            return None;
        }
        *held += 1;
        Some(Seat { occupancy: Arc::clone(self), holder })
    }

    fn part(&self, holder: u64) -> MutexGuard<'_, HashMap<u64, usize, RandomState>> {
        let index = usize::try_from(holder % PARTS as u64).unwrap_or_default();
        self.parts[index].lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut held) = self.occupancy.part(self.holder).entry(self.holder) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_by_holder() {
        let occupancy = Occupancy::new(2);
        let held = [occupancy.take("a"), occupancy.take("a"), occupancy.take("b")];
        assert!(held.iter().all(Option::is_some));
        assert!(occupancy.take("a").is_none());
        drop(held);
        assert!(occupancy.take("a").is_some());
    }

    #[test]
    fn nobody_is_remembered_who_holds_no_seat() {
        for limit in [0, 1] {
            let occupancy = Occupancy::new(limit);
            for holder in 0..1000 {
                drop(occupancy.take(holder));
            }
            assert!(occupancy.parts.iter().all(|part| part.lock().unwrap().is_empty()));
        }
    }
}
