//! Failures on demand, and which requests they meet.

use std::collections::HashMap;
use std::time::Duration;

use super::operation::Operation;

/// How a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status and is not carried out.
    Status(u16),
    /// It is carried out this much later.
    Delay(Duration),
    /// The connection ends without an answer; it is not carried out.
    Reset,
    /// It is carried out, then the connection ends without an answer.
    LostAnswer,
    /// The body that was announced breaks off in the middle.
    ShortBody,
    /// The body that was announced stops in the middle, and nothing follows.
    StalledBody,
}

/// The faults that wait, and the requests that came.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<(Operation, Fault, usize)>,
    seen: HashMap<Operation, usize>,
}

impl Faults {
    /// Counts a request and says how it fails, if it does.
    pub(super) fn meet(&mut self, operation: Operation) -> Option<Fault> {
        *self.seen.entry(operation).or_default() += 1;
        let index =
            self.waiting.iter().position(|(waiting, _, times)| *waiting == operation && *times > 0)?;
        let (_, fault, times) = &mut self.waiting[index];
        if *times != usize::MAX {
            *times -= 1;
        }
        Some(fault.clone())
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
