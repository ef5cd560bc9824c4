//! What all connections and all tasks of the server share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::cluster::Cluster;
use super::events::Events;
use super::fault::Faults;
use super::life::{Order, live};
use super::process::Lines;
use super::queue::Queue;
use super::sts::Sts;
use super::task::{Status, StopCode, Task};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) endpoint: String,
    pub(super) cluster: Cluster,
    pub(super) queue: Queue,
    pub(super) state: Mutex<State>,
    /// Each task's life.
    lives: Mutex<JoinSet<()>>,
    /// Told of every change.
    pub(super) changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    entries: Vec<Entry>,
    /// What was answered to the requests with a client token.
    pub(super) tokens: HashMap<String, Completed>,
    pub(super) faults: Faults,
    pub(super) events: Events,
    pub(super) recorded: Vec<Recorded>,
    pub(super) sts: Sts,
}

/// A `RunTask` that was answered with 200, whether it has started tasks or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Completed {
    /// The request without its token.
    pub(super) request: Value,
    /// The tasks that came of it.
    pub(super) tasks: Vec<String>,
    /// What it could not start.
    pub(super) failures: Vec<Value>,
}

/// A call that came in.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) operation: String,
    pub(super) body: Value,
}

#[derive(Debug)]
struct Entry {
    task: Task,
    orders: mpsc::UnboundedSender<Order>,
    lines: Lines,
}

impl Shared {
    pub(super) fn new(endpoint: String, cluster: Cluster) -> Self {
        Self {
            endpoint,
            cluster,
            queue: Queue::default(),
            state: Mutex::default(),
            lives: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("no panic while locked"))
    }

    /// All tasks in the order of their start, with those that ECS forgot.
    pub(super) fn tasks(&self) -> Vec<Task> {
        self.with(|state| state.entries.iter().map(Entry::seen).collect())
    }

    /// A task by its ARN or its id.
    pub(super) fn task(&self, name: &str) -> Option<Task> {
        self.with(|state| state.entries.iter().find(|entry| entry.is(name)).map(Entry::seen))
    }

    /// Begins a task's life. `state` is this one's, locked.
    pub(super) fn begin(self: &Arc<Self>, state: &mut State, task: Task) {
        let fate = state.faults.fates.pop_front();
        let (orders, received) = mpsc::unbounded_channel();
        let lines = Lines::default();
        state.events.send(&self.queue, &self.cluster, &task);
        let life = live(Arc::clone(self), task.arn.clone(), Arc::clone(&lines), received, fate);
        self.lives.lock().expect("no panic while locked").spawn(life);
        state.entries.push(Entry { task, orders, lines });
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Changes a task and tells of it.
    pub(super) fn change(&self, arn: &str, work: impl FnOnce(&mut Task)) {
        self.with(|state| {
            let events = state.events;
            if let Some(entry) = state.entries.iter_mut().find(|entry| entry.is(arn)) {
                self.changed(events, entry, work);
            }
        });
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Makes a task stop that does not yet. Without a task of that name it answers `None`.
    pub(super) fn order(&self, name: &str, order: Order, reason: impl FnOnce(&mut Task)) -> Option<Task> {
        let task = self.with(|state| {
            let events = state.events;
            let entry = state.entries.iter_mut().find(|entry| entry.is(name))?;
            if entry.task.stopping {
                return Some(entry.seen());
            }
            self.changed(events, entry, |task| {
                task.stopping = true;
                task.times.stopping = Some(SystemTime::now());
                reason(task);
            });
            if entry.orders.send(order).is_err() {
                tracing::debug!(task = name, "its life has ended meanwhile");
            }
            Some(entry.seen())
        });
        self.changes.send_modify(|changes| *changes += 1);
        task
    }

    /// Events are in the order of the changes: the caller holds the lock.
    fn changed(&self, events: Events, entry: &mut Entry, work: impl FnOnce(&mut Task)) {
        work(&mut entry.task);
        entry.task.version += 1;
        events.send(&self.queue, &self.cluster, &entry.task);
    }

    /// [`Shared::order`] with a stop code and its words.
    pub(super) fn stop(&self, name: &str, order: Order, code: StopCode, reason: &str) -> Option<Task> {
        self.order(name, order, |task| {
            task.stop_code = Some(code);
            task.stopped_reason = Some(reason.to_owned());
        })
    }

    pub(super) fn forget_stopped(&self) {
        self.with(|state| {
            for entry in state.entries.iter_mut().filter(|entry| entry.task.status == Status::Stopped) {
                entry.task.forgotten = true;
            }
        });
    }

    /// Ends all lives, with the processes that belong to them.
    pub(super) fn end(&self) {
        self.lives.lock().expect("no panic while locked").abort_all();
        for process in self.tasks().into_iter().filter_map(|task| task.process) {
            super::process::kill_all(process);
        }
    }
}

impl Entry {
    fn is(&self, name: &str) -> bool {
        self.task.arn == name || self.task.id() == name
    }

    fn seen(&self) -> Task {
        let output = self.lines.lock().expect("no panic while locked").iter().cloned().collect();
        Task { output, ..self.task.clone() }
    }
}
