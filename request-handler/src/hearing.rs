//! Whether we are told of every route that moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether we hear of changes now: a number that grows each time that begins or ends, and is odd while it is so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hearing(Arc<AtomicU64>);

/// That whatever changes after it was given is told, unless it no longer holds.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    hearing: Hearing,
    number: u64,
}

impl Hearing {
    /// From now on every change is told.
    pub(crate) fn begin(&self) {
        self.end();
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// From now on changes may be missed.
    pub(crate) fn end(&self) {
        let even = |number| (number % 2 == 1).then_some(number + 1);
        // An error says that it was even.
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, even).ok();
    }

    /// The promise that holds from now on, if we hear.
    pub(crate) fn now(&self) -> Option<Promise> {
        let number = self.0.load(Ordering::Acquire);
        (number % 2 == 1).then(|| Promise { hearing: self.clone(), number })
    }
}

impl Promise {
    pub(crate) fn holds(&self) -> bool {
        self.hearing.0.load(Ordering::Acquire) == self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_ends_with_the_hearing_and_does_not_come_back() {
        let hearing = Hearing::default();
        assert!(hearing.now().is_none());
        hearing.begin();
        let first = hearing.now().unwrap();
        assert!(first.holds());
        hearing.begin();
        assert!(!first.holds(), "something may have been missed in between");
        let second = hearing.now().unwrap();
        hearing.end();
        hearing.end();
        assert!(!second.holds() && hearing.now().is_none());
        hearing.begin();
        assert!(!second.holds() && hearing.now().is_some());
    }
}
