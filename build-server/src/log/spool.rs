//! The file that holds every event of the build: what is sent and what is archived is read from here, so a
//! bus that is slow or away never holds up a build.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

use gitdeploy_core::event::LogLine;
use gitdeploy_core::{Body, Event, Phase, Stream};
use jiff::Timestamp;
use tokio::sync::watch;

/// How many bytes of events a build may record; log lines beyond are counted and told by a `gap`.
const LIMIT: u64 = 100 << 20;

/// Events in a file, one JSON object a line, numbered as they come.
#[derive(Debug)]
pub(crate) struct Spool {
    inner: Mutex<Inner>,
    written: watch::Sender<u64>,
    sent: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    bytes: u64,
    seq: u64,
    lines: u64,
    /// Lines that were not recorded since the last event that was.
    missing: u64,
    limit: u64,
    /// Whether the end is decided, so that nothing else may follow.
    closed: bool,
}

impl Spool {
    pub(crate) fn create() -> std::io::Result<Self> {
        Self::with_limit(LIMIT)
    }

    fn with_limit(limit: u64) -> std::io::Result<Self> {
        let inner = Inner {
            file: tempfile::tempfile()?,
            bytes: 0,
            seq: 0,
            lines: 0,
            missing: 0,
            limit,
            closed: false,
        };
        Ok(Self { inner: Mutex::new(inner), written: watch::Sender::new(0), sent: watch::Sender::new(0) })
    }

    /// Records events. It never fails: what the disk does not take is told by a `gap` as soon as it can be. After
    /// [`Spool::close`] nothing is recorded: a thread that nobody waits for may still be talking.
    pub(crate) fn append(&self, bodies: impl IntoIterator<Item = Body>) {
        let mut inner = self.inner.lock().expect("no panic while locked");
        if !inner.closed {
            self.record(&mut inner, bodies);
        }
    }

    /// Takes no more events, and gives the one that `body` will be as the last.
    pub(crate) fn close(&self, body: Body) -> Event {
        let mut inner = self.inner.lock().expect("no panic while locked");
        inner.closed = true;
        let mut gap = String::new();
        inner.push_gap(Timestamp::now(), &mut gap);
        inner.write(&gap);
        self.written.send_replace(inner.bytes);
        Event { seq: inner.seq + 1, at: Timestamp::now(), body }
    }

    /// Records the event that [`Spool::close`] gave.
    pub(crate) fn append_last(&self, event: &Event) {
        let mut inner = self.inner.lock().expect("no panic while locked");
        inner.seq = event.seq;
        inner.write(&(event.to_json() + "\n"));
        self.written.send_replace(inner.bytes);
    }

    /// Records a notice, and then the event that [`Spool::close`] gave.
    pub(crate) fn append_last_with_notice(&self, text: String, last: Body) {
        let mut inner = self.inner.lock().expect("no panic while locked");
        self.record(&mut inner, [Body::Notice { text }, last]);
    }

    fn record(&self, inner: &mut Inner, bodies: impl IntoIterator<Item = Body>) {
        let now = Timestamp::now();
        let mut text = String::new();
        for body in bodies {
            inner.push(now, body, &mut text);
        }
        inner.write(&text);
        self.written.send_replace(inner.bytes);
    }

    /// Notes that everything before byte `offset` has reached the receiver.
    pub(crate) fn sent(&self, offset: u64) {
        self.sent.send_replace(offset);
    }

    /// How much has reached the receiver, as that changes.
    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.sent.subscribe()
    }

    /// How many bytes are recorded, as that changes.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Up to `most` lines that start at byte `offset`, and the offset after them. At least one line is
    /// returned if there is one, and no more than `bytes` bytes otherwise.
    pub(crate) fn read(&self, offset: u64, most: usize, bytes: u64) -> std::io::Result<(Vec<String>, u64)> {
        let inner = self.inner.lock().expect("no panic while locked");
        let mut reader = BufReader::new(ReadFrom { file: &inner.file, offset });
        let mut lines = Vec::new();
        let mut end = offset;
        while lines.len() < most && end < inner.bytes && end - offset < bytes {
            let mut line = String::new();
            end += reader.read_line(&mut line)? as u64;
            lines.push(line);
        }
        Ok((lines, end))
    }

    /// What commands of `phase` wrote last: of the last `bytes` bytes that are recorded, those lines.
    pub(crate) fn last_lines(&self, phase: Phase, bytes: u64) -> std::io::Result<Vec<String>> {
        let recorded = *self.written.borrow();
        let offset = recorded.saturating_sub(bytes);
        let (events, _) = self.read(offset, usize::MAX, bytes)?;
        // The first is cut, unless it is the first of all.
        let whole = events.iter().skip(usize::from(offset > 0));
        let lines = whole.filter_map(|event| match serde_json::from_str::<Event>(event).ok()?.body {
            Body::Log(line) if line.phase == phase && line.stream != Stream::Builder => Some(line.text),
            _ => None,
        });
        Ok(lines.collect())
    }

    /// Copies all that is recorded to `writer`.
    pub(crate) fn copy_to(&self, writer: &mut impl std::io::Write) -> std::io::Result<()> {
        let mut offset = 0;
        loop {
            let (lines, end) = self.read(offset, usize::MAX, 1 << 20)?;
            if lines.is_empty() {
                return Ok(());
            }
            lines.iter().try_for_each(|line| writer.write_all(line.as_bytes()))?;
            offset = end;
        }
    }
}

impl Inner {
    fn push(&mut self, now: Timestamp, mut body: Body, text: &mut String) {
        if let Body::Log(line) = &mut body {
            self.lines += 1;
            line.line = self.lines;
            if self.bytes + text.len() as u64 > self.limit {
                self.missing += 1;
                return;
            }
        }
        self.push_gap(now, text);
        self.push_event(now, body, text);
    }

    fn push_gap(&mut self, now: Timestamp, text: &mut String) {
        if self.missing > 0 {
            let lines = std::mem::take(&mut self.missing);
            let reason = "are missing: the log is longer than its limit, or the disk was full".to_owned();
            self.push_event(now, Body::Gap { lines, reason }, text);
        }
    }

    fn push_event(&mut self, at: Timestamp, body: Body, text: &mut String) {
        self.seq += 1;
        text.push_str(&Event { seq: self.seq, at, body }.to_json());
        text.push('\n');
    }

    /// What cannot be written is missing; the next write takes its place in the file.
    fn write(&mut self, text: &str) {
        match self.file.write_all_at(text.as_bytes(), self.bytes) {
            Ok(()) => self.bytes += text.len() as u64,
            Err(error) => {
                tracing::warn!(%error, "the log cannot be written");
                let events = text.lines().count() as u64;
                self.seq -= events;
                self.missing += events;
            }
        }
    }
}

/// A file, read from a place of its own, so that the one where it is written does not move.
struct ReadFrom<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for ReadFrom<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.file.read_at(buffer, self.offset)?;
        self.offset += bytes as u64;
        Ok(bytes)
    }
}

/// A log line; its number is given when it is recorded.
pub(crate) fn log_line(phase: Phase, stream: Stream, text: String) -> Body {
    Body::Log(LogLine { phase, stream, line: 0, text })
}

#[cfg(test)]
mod tests {

    use super::*;

    fn line(text: &str) -> Body {
        log_line(Phase::Build, Stream::Stdout, text.to_owned())
    }

    fn events(spool: &Spool) -> Vec<Event> {
        let (lines, _) = spool.read(0, usize::MAX, u64::MAX).unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn events_are_numbered_and_read_back_in_parts() {
        let spool = Spool::create().unwrap();
        spool.append(["a", "b", "c"].map(line));
        spool.append([Body::Notice { text: "d".to_owned() }]);
        let (first, offset) = spool.read(0, 2, u64::MAX).unwrap();
        let (second, end) = spool.read(offset, 10, u64::MAX).unwrap();
        assert_eq!((first.len(), second.len()), (2, 2));
        assert_eq!(end, *spool.written().borrow());
        assert_eq!(events(&spool).iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn lines_past_the_limit_are_told_by_a_gap() {
        let spool = Spool::with_limit(500).unwrap();
        for _ in 0..100 {
            spool.append([line("some words")]);
        }
        let last = spool.close(Body::Notice { text: "the end".to_owned() });
        spool.append([line("too late")]);
        spool.append_last(&last);
        let events = events(&spool);
        let shown = events.iter().filter(|event| matches!(event.body, Body::Log(_))).count() as u64;
        let gap = &events[events.len() - 2].body;
        assert!(matches!(gap, Body::Gap { lines, .. } if *lines == 100 - shown), "{gap:?}");
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    }

    #[test]
    fn all_of_it_can_be_copied() {
        let spool = Spool::create().unwrap();
        spool.append((0..1000).map(|number| line(&format!("line {number}"))));
        let mut copy = Vec::new();
        spool.copy_to(&mut copy).unwrap();
        assert_eq!(copy.len() as u64, *spool.written().borrow());
        assert_eq!(String::from_utf8(copy).unwrap().lines().count(), 1000);
    }
}
