//! Failures on demand, and which requests they meet.

use std::collections::HashMap;
use std::time::Duration;

use super::operation::Operation;

/// How long a request takes where only so many are taken at once.
const BUSY: Duration = Duration::from_millis(5);

/// How a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status and is not carried out.
    Status(u16),
    /// It is carried out this much later.
    Delay(Duration),
    /// It is answered with 503 and is not carried out if more than so many of its kind are under way; else it takes
    /// some milliseconds.
    BusyAbove(usize),
    /// It is never answered, nor carried out.
    Silence,
    /// The connection ends without an answer; it is not carried out.
    Reset,
    /// It is carried out, then the connection ends without an answer.
    LostAnswer,
    /// The body that was announced breaks off in the middle.
    ShortBody,
    /// The body that was announced stops in the middle, and nothing follows.
    StalledBody,
    /// The body is half of the content, and is announced as such.
    OtherLength,
}

/// The faults that wait, and the requests that came.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<(Operation, Fault, usize)>,
    seen: HashMap<Operation, usize>,
    under_way: HashMap<Operation, usize>,
}

impl Faults {
    /// Counts a request, which has now begun, and says how it fails, if it does.
    pub(super) fn meet(&mut self, operation: Operation) -> Option<Fault> {
        *self.seen.entry(operation).or_default() += 1;
        *self.under_way.entry(operation).or_default() += 1;
        let index =
            self.waiting.iter().position(|(waiting, _, times)| *waiting == operation && *times > 0)?;
        let (_, fault, times) = &mut self.waiting[index];
        if *times != usize::MAX {
            *times -= 1;
        }
        Some(match fault.clone() {
            Fault::BusyAbove(most) if self.under_way[&operation] <= most => Fault::Delay(BUSY),
            Fault::BusyAbove(_) => Fault::Status(503),
            fault => fault,
        })
    }

    /// A request has ended.
    pub(super) fn end(&mut self, operation: Operation) {
        if let Some(under_way) = self.under_way.get_mut(&operation) {
            *under_way -= 1;
        }
    }

    pub(super) fn add(&mut self, operation: Operation, fault: Fault, times: usize) {
        self.waiting.push((operation, fault, times));
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn seen(&self, operation: Operation) -> usize {
        self.seen.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }
}
