//! Whether a connection is still worth keeping, judged now and then by what it has done since.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::Limits;
use super::progress::Seen;

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The head of a request did not come in time.
    SlowHead,
    /// No request came.
    Idle,
    /// The visitor does not read what is there.
    SlowReader,
}

/// What a connection does, and since when.
#[derive(Debug)]
pub(crate) struct Watch {
    phase: Phase,
    since: Instant,
    /// What was counted when the phase began.
    then: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Head,
    /// We, or the store, have to do something.
    Ours,
    /// The visitor has to read.
    Reading,
}

impl Limits {
    /// How often connections are looked at. A limit is kept to with this precision.
    pub(crate) fn tick(&self) -> Duration {
        self.head.min(self.idle).min(self.patience) / 2
    }
}

impl Watch {
    pub(crate) fn new(now: Instant) -> Self {
        Self { phase: Phase::Idle, since: now, then: Seen::default() }
    }

    /// Why the connection is to be ended, if it is. `has_heads`: requests come one after another and as text, as
    /// in HTTP/1. In HTTP/2 other frames are read too; a head that does not end there is an idle connection.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        seen: Seen,
        has_heads: bool,
        is_crowded: bool,
        limits: &Limits,
    ) -> Option<End> {
        let phase = phase(&seen, has_heads);
        let goes_on = phase == self.phase && (phase == Phase::Reading || seen.requests == self.then.requests);
        if !goes_on {
            (self.phase, self.since, self.then) = (phase, now, seen);
            return None;
        }
        let elapsed = now.duration_since(self.since);
        match phase {
            Phase::Ours => None,
            Phase::Idle if is_crowded => (elapsed >= limits.head.min(limits.idle)).then_some(End::Idle),
            Phase::Idle => (elapsed >= limits.idle).then_some(End::Idle),
            Phase::Head => (elapsed >= limits.head).then_some(End::SlowHead),
            Phase::Reading if elapsed < limits.patience => None,
            Phase::Reading => {
                let expected = limits.floor.saturating_mul(limits.patience.as_secs().max(1));
                let read = seen.written - self.then.written;
                (self.since, self.then) = (now, seen);
                (read < expected).then_some(End::SlowReader)
            }
        }
    }
}

fn phase(seen: &Seen, has_heads: bool) -> Phase {
    if seen.waits_for_visitor {
        Phase::Reading
    } else if seen.is_answering {
        Phase::Ours
    } else if has_heads && seen.has_read {
        Phase::Head
    } else {
        Phase::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Seen =
        Seen { requests: 1, written: 100, is_answering: false, waits_for_visitor: false, has_read: false };

    /// What becomes of a connection that is seen so every five seconds.
    fn watch(seen: impl IntoIterator<Item = Seen>) -> Option<(u64, End)> {
        watch_where(false, seen)
    }

    fn watch_where(is_crowded: bool, seen: impl IntoIterator<Item = Seen>) -> Option<(u64, End)> {
        let begin = Instant::now();
        let mut watch = Watch::new(begin);
        (0..).step_by(5).zip(seen).find_map(|(second, seen)| {
            let now = begin + Duration::from_secs(second);
            watch.look(now, seen, true, is_crowded, &Limits::default()).map(|end| (second, end))
        })
    }

    #[test]
    fn an_idle_connection_is_kept_for_a_while() {
        assert_eq!(watch([IDLE; 30]), Some((60, End::Idle)));
        assert_eq!(watch_where(true, [IDLE; 30]), Some((10, End::Idle)), "not where there is little room");
        let visits = (0..100).map(|number| Seen { requests: number / 10, ..IDLE });
        assert_eq!(watch(visits), None, "a request now and then is enough");
    }

    #[test]
    fn a_head_must_come_soon() {
        let dripping = Seen { has_read: true, ..IDLE };
        assert_eq!(watch([IDLE, IDLE, dripping, dripping, dripping]), Some((20, End::SlowHead)));
    }

    #[test]
    fn a_visitor_must_read_what_is_there() {
        let reading = Seen { is_answering: true, waits_for_visitor: true, ..IDLE };
        assert_eq!(watch([reading; 30]), Some((60, End::SlowReader)));
        let at = |rate: u64| (0..100).map(move |tick| Seen { written: tick * 5 * rate, ..reading });
        assert_eq!(watch(at(1000)), Some((60, End::SlowReader)));
        assert_eq!(watch(at(1100)), None);
        let lumps = (0..100).map(|tick| Seen { written: tick / 12 * 65_536, ..reading });
        assert_eq!(watch(lumps), None, "the system takes bytes in lumps");
    }

    #[test]
    fn the_store_may_take_its_time() {
        let waiting = Seen { is_answering: true, ..IDLE };
        assert_eq!(watch([waiting; 100]), None, "it has limits of its own");
    }
}
