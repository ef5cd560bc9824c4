//! The last of the lines that are dropped: where a flood ends there often stands why.

use std::collections::VecDeque;

use gitdeploy_core::{Body, Event};

/// What one line costs beside its text.
const OVERHEAD: usize = 128;

/// Events without a number that are not recorded, for now.
#[derive(Debug)]
pub(super) struct Tail {
    most_lines: usize,
    most_bytes: usize,
    kept: VecDeque<Dropped>,
    bytes: usize,
    /// How many lines are not kept either.
    missing: u64,
}

/// A line, or a gap, that is dropped.
#[derive(Debug)]
pub(super) struct Dropped {
    pub(super) event: Event,
    /// How many lines of the build it stands for.
    pub(super) lines: u64,
}

impl Tail {
    pub(super) fn new(most_lines: usize, most_bytes: usize) -> Self {
        Self { most_lines, most_bytes, kept: VecDeque::new(), bytes: 0, missing: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.missing == 0
    }

    pub(super) fn push(&mut self, dropped: Dropped) {
        self.bytes += dropped.cost();
        self.kept.push_back(dropped);
        while self.kept.len() > self.most_lines || self.bytes > self.most_bytes {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.cost();
            self.missing += oldest.lines;
        }
    }

    /// How many lines are missing, and those that were written after them. It is empty afterwards.
    pub(super) fn take(&mut self) -> (u64, VecDeque<Dropped>) {
        self.bytes = 0;
        (std::mem::take(&mut self.missing), std::mem::take(&mut self.kept))
    }

    /// How many lines were dropped. It is empty afterwards.
    pub(super) fn forget(&mut self) -> u64 {
        let (missing, kept) = self.take();
        missing + kept.iter().map(|dropped| dropped.lines).sum::<u64>()
    }
}

impl Dropped {
    fn cost(&self) -> usize {
        match &self.event.body {
            Body::Log(line) => line.text.len() + OVERHEAD,
            _ => OVERHEAD,
        }
    }
}
