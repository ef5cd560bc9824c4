//! The latest state of every task that is watched, whoever tells it and in whatever order.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::task::TaskState;

/// What is known of a task that is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Sighting {
    /// Nothing yet.
    #[default]
    Unknown,
    /// The state with the highest version that was told.
    Seen(TaskState),
    /// ECS does not know the task, or no longer.
    Gone,
}

/// The tasks that this process watches, by their ARN.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    watched: Mutex<HashMap<String, Watched>>,
    /// Told when a task is watched of which nothing is known.
    pub(super) unknown: Notify,
}

#[derive(Debug)]
struct Watched {
    sightings: watch::Sender<Sighting>,
    missing_since: Option<Instant>,
}

impl Sighting {
    fn is_final(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Seen(state) => state.stopped,
            Self::Gone => true,
        }
    }
}

impl Tracker {
    /// Watches a task until all receivers are dropped.
    pub(super) fn watch(&self, task: &str, state: Option<TaskState>) -> watch::Receiver<Sighting> {
        let receiver = {
            let mut watched = self.watched.lock().expect("no panic while locked");
            let entry = watched
                .entry(task.to_owned())
                .or_insert_with(|| Watched { sightings: watch::Sender::default(), missing_since: None });
            entry.sightings.subscribe()
        };
        match state {
            Some(state) => self.tell(task, state),
            None => self.unknown.notify_one(),
        }
        receiver
    }

    /// Takes note of a state of a task. What is older than what is known, and what nobody watches, is passed
    /// over.
    pub(super) fn tell(&self, task: &str, state: TaskState) {
        let mut watched = self.watched.lock().expect("no panic while locked");
        let Some(entry) = watched.get_mut(task) else { return };
        entry.missing_since = None;
        entry.sightings.send_if_modified(|sighting| {
            let newer = match &*sighting {
                Sighting::Unknown => true,
                // Of two with the same version the one that has ended is later.
                Sighting::Seen(seen) => {
                    !seen.stopped && (seen.version, seen.stopped) < (state.version, state.stopped)
                }
                Sighting::Gone => false,
            };
            if newer {
                *sighting = Sighting::Seen(state);
            }
            newer
        });
    }

    /// Takes note that ECS does not know a task. It is gone when that was said twice and for as long as
    /// `patience`: ECS's answers are consistent only after a while.
    pub(super) fn missing(&self, task: &str, patience: Duration) {
        let mut watched = self.watched.lock().expect("no panic while locked");
        let Some(entry) = watched.get_mut(task) else { return };
        let now = Instant::now();
        match entry.missing_since {
            None => entry.missing_since = Some(now),
            Some(since) if now.duration_since(since) >= patience => {
                entry.sightings.send_if_modified(|sighting| {
                    let news = !sighting.is_final();
                    if news {
                        *sighting = Sighting::Gone;
                    }
                    news
                });
            }
            Some(_) => {}
        }
    }

    /// The tasks that are worth asking about. Those that nobody watches any more are forgotten.
    pub(super) fn open_tasks(&self) -> Vec<String> {
        let mut watched = self.watched.lock().expect("no panic while locked");
        watched.retain(|_, entry| entry.sightings.receiver_count() > 0);
        let open = watched.iter().filter(|(_, entry)| !entry.sightings.borrow().is_final());
        open.map(|(task, _)| task.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launcher::ecs::task::TaskEnd;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn state(version: i64, stopped: bool) -> TaskState {
        TaskState { version, stopped, created: None, end: TaskEnd::default() }
    }

    fn version(receiver: &watch::Receiver<Sighting>) -> Option<i64> {
        match &*receiver.borrow() {
            Sighting::Seen(state) => Some(state.version),
            _ => None,
        }
    }

    #[test]
    fn the_highest_version_counts_in_whatever_order_it_comes() {
        let tracker = Tracker::default();
        let receiver = tracker.watch("a", Some(state(1, false)));
        for (told, known) in [(3, 3), (2, 3), (3, 3), (5, 5), (4, 5)] {
            tracker.tell("a", state(told, false));
            assert_eq!(version(&receiver), Some(known));
        }
        tracker.tell("a", state(6, true));
        tracker.tell("a", state(7, false));
        assert_eq!(version(&receiver), Some(6), "what has stopped has stopped");
    }

    #[test]
    fn an_end_counts_where_versions_are_not_kept() {
        let tracker = Tracker::default();
        let receiver = tracker.watch("a", Some(state(0, false)));
        tracker.tell("a", state(0, true));
        assert!(receiver.borrow().is_final());
    }

    #[test]
    fn a_repeated_event_is_no_news() {
        let tracker = Tracker::default();
        let mut receiver = tracker.watch("a", Some(state(1, false)));
        receiver.mark_unchanged();
        tracker.tell("a", state(1, false));
        assert!(!receiver.has_changed().unwrap());
        tracker.tell("a", state(2, false));
        assert!(receiver.has_changed().unwrap());
    }

    #[test]
    fn what_nobody_watches_is_passed_over_and_forgotten() {
        let tracker = Tracker::default();
        tracker.tell("a", state(1, false));
        assert!(tracker.open_tasks().is_empty());
        let (first, second) = (tracker.watch("a", None), tracker.watch("a", None));
        drop(first);
        assert_eq!(tracker.open_tasks(), ["a"]);
        drop(second);
        assert!(tracker.open_tasks().is_empty());
        let stopped = tracker.watch("b", Some(state(4, true)));
        assert!(tracker.open_tasks().is_empty(), "{stopped:?} is not asked about");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_gone_only_when_it_stays_missing() {
        let tracker = Tracker::default();
        let receiver = tracker.watch("a", Some(state(1, false)));
        let missing_after = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            tracker.missing("a", PATIENCE);
            *receiver.borrow() == Sighting::Gone
        };
        assert!(!missing_after(100).await, "once is not enough");
        assert!(!missing_after(10).await);
        tracker.tell("a", state(1, false));
        assert!(!missing_after(25).await, "it was seen in between");
        assert!(!missing_after(20).await);
        assert!(missing_after(15).await);
        tracker.tell("a", state(2, false));
        assert!(*receiver.borrow() == Sighting::Gone);
    }
}
