//! What has happened on a connection so far, as its parts report it and its watch reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Counts of one connection. They are read now and then, each for itself.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// How many requests have begun.
    requests: AtomicU64,
    /// How many answers have begun and not ended.
    open: AtomicU32,
    /// How many of these wait for us and not for the visitor.
    starved: AtomicU32,
    /// How many bytes the system took for the visitor.
    written: AtomicU64,
    /// Whether the system takes no more bytes for the moment.
    is_blocked: AtomicBool,
    /// Whether something was read since the last request began.
    has_read: AtomicBool,
}

/// What a watch sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) written: u64,
    /// Whether an answer has begun and not ended.
    pub(crate) is_answering: bool,
    /// Whether bytes are there for the visitor, who does not read them.
    pub(crate) waits_for_visitor: bool,
    pub(crate) has_read: bool,
}

/// An answer that has begun. Dropped, it has ended.
#[derive(Debug)]
pub(crate) struct OpenAnswer {
    progress: Arc<Progress>,
    is_starved: bool,
}

impl Progress {
    pub(crate) fn read(&self) {
        if !self.has_read.load(Relaxed) {
            self.has_read.store(true, Relaxed);
        }
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Relaxed);
        self.is_blocked.store(false, Relaxed);
    }

    pub(crate) fn blocked(&self) {
        self.is_blocked.store(true, Relaxed);
    }

    /// A request has been read, and its answer is being made.
    pub(crate) fn begin(self: &Arc<Self>) -> OpenAnswer {
        self.requests.fetch_add(1, Relaxed);
        self.has_read.store(false, Relaxed);
        self.open.fetch_add(1, Relaxed);
        self.starved.fetch_add(1, Relaxed);
        OpenAnswer { progress: Arc::clone(self), is_starved: true }
    }

    pub(crate) fn seen(&self) -> Seen {
        let open = self.open.load(Relaxed);
        let is_blocked = self.is_blocked.load(Relaxed);
        Seen {
            requests: self.requests.load(Relaxed),
            written: self.written.load(Relaxed),
            is_answering: open > 0,
            waits_for_visitor: is_blocked || open > self.starved.load(Relaxed),
            has_read: self.has_read.load(Relaxed),
        }
    }
}

impl OpenAnswer {
    /// Whether the next bytes of the answer have to come from elsewhere first.
    pub(crate) fn starves(&mut self, is_starved: bool) {
        if self.is_starved == is_starved {
            return;
        }
        self.is_starved = is_starved;
        let starved = &self.progress.starved;
        if is_starved {
            starved.fetch_add(1, Relaxed)
        } else {
            starved.fetch_sub(1, Relaxed)
        };
    }
}

impl Drop for OpenAnswer {
    fn drop(&mut self) {
        self.starves(false);
        self.progress.open.fetch_sub(1, Relaxed);
    }
}
