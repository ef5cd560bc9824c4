//! Numbers what a build tells, keeps it within limits, and says what is missing.

use std::sync::Arc;
use std::time::Instant;

use gitdeploy_core::event::LogLine;
use gitdeploy_core::{Body, Event, Phase, Stream};
use jiff::Timestamp;

use super::file::SpoolFile;
use super::limits::Limits;
use super::rate::Rate;
use super::redact;
use super::tail::{Dropped, Tail};
use super::window::{Chunk, Window};
use crate::secrets::Secrets;

/// How many bytes of lines are written at once.
const WRITE: usize = 64 * 1024;

/// How many of the lines are kept that were written too fast, if nothing follows them.
const LAST_LINES: usize = 100;

/// How many bytes of lines are kept beyond the limit of the archive, if nothing follows them.
const LAST_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Journal {
    pub(super) file: SpoolFile,
    pub(super) window: Window,
    secrets: Arc<Secrets>,
    limits: Limits,
    rate: Rate,
    /// Lines that came too fast.
    too_fast: Tail,
    /// Lines that the archive has no room for.
    too_many: Tail,
    /// Lines that could not be written.
    lost: u64,
    seq: u64,
    /// How many lines the build has written.
    lines: u64,
    /// Lines that are recorded and not yet written.
    buffer: Buffer,
    is_closed: bool,
}

/// When something is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Instant,
    pub(super) at: Timestamp,
}

#[derive(Debug, Default)]
struct Buffer {
    json: Vec<u8>,
    events: u64,
    /// How many lines of the build they stand for.
    lines: u64,
}

impl Now {
    pub(super) fn read() -> Self {
        Self { instant: Instant::now(), at: Timestamp::now() }
    }
}

impl Journal {
    pub(super) fn create(limits: Limits, secrets: Arc<Secrets>) -> std::io::Result<Self> {
        Ok(Self {
            file: SpoolFile::create()?,
            window: Window::new(limits.live),
            secrets,
            limits,
            rate: Rate::new(limits.rate, Instant::now()),
            too_fast: Tail::new(LAST_LINES, LAST_BYTES),
            too_many: Tail::new(usize::MAX, LAST_BYTES),
            lost: 0,
            seq: 0,
            lines: 0,
            buffer: Buffer::default(),
            is_closed: false,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Records a line of a command, in which nothing is secret any more, and returns its number. One that has a
    /// `number` already is another version of that line.
    pub(super) fn line(
        &mut self,
        (phase, stream): (Phase, Stream),
        number: Option<u64>,
        text: &[u8],
        Now { instant, at }: Now,
    ) -> u64 {
        self.lines += u64::from(number.is_none());
        let line = number.unwrap_or(self.lines);
        let is_allowed = self.rate.allows(instant);
        let text = String::from_utf8_lossy(text).into_owned();
        let event = Event { seq: 0, at, body: Body::Log(LogLine { phase, stream, line, text }) };
        let dropped = Dropped { event, lines: u64::from(number.is_none()) };
        if is_allowed {
            if !self.too_fast.is_empty() {
                let missing = self.too_fast.forget();
                self.keep_gap(missing);
            }
            self.keep(dropped);
        } else {
            self.too_fast.push(dropped);
        }
        line
    }

    /// Records something that is no line of a command.
    pub(super) fn event(&mut self, mut body: Body) {
        redact::body(&self.secrets, &mut body);
        if let Body::Log(line) = &mut body {
            self.lines += 1;
            line.line = self.lines;
        }
        self.drain();
        self.flush();
        self.seq += 1;
        let event = Event { seq: self.seq, at: Timestamp::now(), body };
        self.write_event(&event);
    }

    /// Takes nothing more, and gives the event that `body` will be as the last.
    pub(super) fn close(&mut self, mut body: Body) -> Event {
        redact::body(&self.secrets, &mut body);
        self.drain();
        self.flush();
        self.is_closed = true;
        Event { seq: self.seq + 1, at: Timestamp::now(), body }
    }

    /// Records an event that has its number, after everything else.
    pub(super) fn last(&mut self, event: &Event) {
        self.seq = event.seq;
        self.write_event(event);
    }

    /// Records the last of the lines that were dropped, now that something else follows.
    fn drain(&mut self) {
        let (missing, kept) = self.too_fast.take();
        self.keep_gap(missing);
        for dropped in kept {
            self.keep(dropped);
        }
        let (missing, kept) = self.too_many.take();
        self.put_gap(missing, self.limits.too_many());
        for dropped in kept {
            self.put(dropped);
        }
        self.tell_lost();
    }

    fn tell_lost(&mut self) {
        let missing = std::mem::take(&mut self.lost);
        if missing > 0 {
            self.append(gap(missing, "are missing: the builder's disk did not take them".to_owned()));
        }
    }

    fn keep_gap(&mut self, lines: u64) {
        if lines > 0 {
            self.keep(gap(lines, self.limits.too_fast()));
        }
    }

    fn put_gap(&mut self, lines: u64, reason: String) {
        if lines > 0 {
            self.put(gap(lines, reason));
        }
    }

    /// Records a line, or that lines are missing, as far as there is room.
    fn keep(&mut self, dropped: Dropped) {
        let is_full = self.file.bytes() + self.buffer.json.len() as u64
            >= self.limits.archive.saturating_sub(LAST_BYTES as u64);
        if is_full || !self.too_many.is_empty() {
            self.too_many.push(dropped);
        } else {
            self.put(dropped);
        }
    }

    fn put(&mut self, dropped: Dropped) {
        self.tell_lost();
        self.append(dropped);
        if self.buffer.json.len() >= WRITE {
            self.flush();
        }
    }

    fn append(&mut self, Dropped { mut event, lines }: Dropped) {
        self.seq += 1;
        event.seq = self.seq;
        event.write_json(&mut self.buffer.json);
        self.buffer.json.push(b'\n');
        self.buffer.events += 1;
        self.buffer.lines += lines;
    }

    /// Writes the lines that are recorded.
    pub(super) fn flush(&mut self) {
        if self.buffer.events == 0 {
            return;
        }
        let start = self.file.bytes();
        let mut is_last = false;
        match self.file.append(&self.buffer.json) {
            Ok(()) => {
                let (bytes, lines) = (start..self.file.bytes(), self.buffer.lines);
                is_last = self.window.lines(Chunk { bytes, seq: self.seq, lines });
            }
            Err(error) => {
                tracing::warn!(%error, "the log cannot be written");
                self.seq -= self.buffer.events;
                self.lost += self.buffer.lines;
            }
        }
        self.buffer.json.clear();
        (self.buffer.events, self.buffer.lines) = (0, 0);
        if is_last {
            self.event(Body::Notice { text: self.limits.held_back() });
        }
    }

    fn write_event(&mut self, event: &Event) {
        let start = self.file.bytes();
        match self.file.append((event.to_json() + "\n").as_bytes()) {
            Ok(()) => self.window.event(start..self.file.bytes()),
            Err(error) => {
                tracing::warn!(%error, "the log cannot be written");
                self.seq -= 1;
                self.lost += u64::from(matches!(event.body, Body::Log(_)));
            }
        }
    }
}

/// That lines are missing; it stands for them.
fn gap(lines: u64, reason: String) -> Dropped {
    let body = Body::Gap { lines, reason };
    Dropped { event: Event { seq: 0, at: Timestamp::now(), body }, lines }
}
