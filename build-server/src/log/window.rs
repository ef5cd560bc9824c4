//! What of the log is shown while the build runs: its beginning as it comes, then no line until something other
//! than a line is recorded; then the lines before that, and a `gap` for those that are only in the archive.

use std::collections::VecDeque;
use std::ops::Range;

/// Consecutive lines in the spool file.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    /// Where they are.
    pub(super) bytes: Range<u64>,
    /// The number of the last event.
    pub(super) seq: u64,
    /// How many lines of the build they stand for.
    pub(super) lines: u64,
}

/// The next thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Events of the file.
    Bytes(Range<u64>),
    /// That lines are only in the archive, the last of them with this number.
    Gap { seq: u64, lines: u64 },
}

/// How many bytes of lines are held together.
const CHUNK: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Window {
    /// How many bytes of lines may still be shown as they come.
    first: u64,
    /// How many bytes of the last lines are shown.
    last: u64,
    ready: VecDeque<Part>,
    held: VecDeque<Chunk>,
    held_bytes: u64,
    /// Lines that are not shown any more.
    left_out: Option<(u64, u64)>,
}

impl Window {
    /// A window that shows so many bytes of the first lines, and as many of the last.
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            first: bytes,
            last: bytes,
            ready: VecDeque::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            left_out: None,
        }
    }

    /// Takes lines. Whether these were the last that are shown as they come.
    pub(super) fn lines(&mut self, chunk: Chunk) -> bool {
        let bytes = chunk.bytes.end - chunk.bytes.start;
        if self.first > 0 {
            self.first = self.first.saturating_sub(bytes);
            self.show(chunk.bytes);
            return self.first == 0;
        }
        self.held_bytes += bytes;
        match self.held.back_mut() {
            Some(back)
                if back.bytes.end == chunk.bytes.start && back.bytes.end - back.bytes.start < CHUNK =>
            {
                back.bytes.end = chunk.bytes.end;
                back.seq = chunk.seq;
                back.lines += chunk.lines;
            }
            _ => self.held.push_back(chunk),
        }
        while self.held_bytes > self.last
            && let Some(front) = self.held.pop_front()
        {
            self.held_bytes -= front.bytes.end - front.bytes.start;
            let before = self.left_out.map_or(0, |(_, lines)| lines);
            self.left_out = Some((front.seq, before + front.lines));
        }
        false
    }

    /// Takes an event that is no line, and shows it with what is held.
    pub(super) fn event(&mut self, bytes: Range<u64>) {
        if let Some((seq, lines)) = self.left_out.take() {
            self.ready.push_back(Part::Gap { seq, lines });
        }
        self.held_bytes = 0;
        for chunk in std::mem::take(&mut self.held) {
            self.show(chunk.bytes);
        }
        self.show(bytes);
    }

    /// What is to be shown next. What of it cannot be shown at once is given back with [`Window::put_back`].
    pub(super) fn next(&mut self) -> Option<Part> {
        self.ready.pop_front()
    }

    pub(super) fn put_back(&mut self, bytes: Range<u64>) {
        if !bytes.is_empty() {
            self.ready.push_front(Part::Bytes(bytes));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    fn show(&mut self, bytes: Range<u64>) {
        match self.ready.back_mut() {
            Some(Part::Bytes(shown)) if shown.end == bytes.start => shown.end = bytes.end,
            _ => self.ready.push_back(Part::Bytes(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of ten bytes each, `events` of them in a chunk, then something else of one byte.
    fn shown(first: u64, chunks: &[u64]) -> Vec<Part> {
        let mut window = Window::new(first);
        let (mut at, mut seq) = (0, 0);
        for lines in chunks {
            seq += lines;
            window.lines(Chunk { bytes: at..at + lines * 10, seq, lines: *lines });
            at += lines * 10;
        }
        window.event(at..at + 1);
        std::iter::from_fn(|| window.next()).collect()
    }

    #[test]
    fn a_short_log_is_shown_whole() {
        assert_eq!(shown(1000, &[1, 2, 3]), [Part::Bytes(0..61)]);
        // What is held fits, so that nothing is left out.
        assert_eq!(shown(1000, &[100, 50, 50]), [Part::Bytes(0..2001)]);
    }

    #[test]
    fn of_a_long_log_the_middle_is_left_out() {
        let chunk = CHUNK / 10 + 1;
        let last = chunk * 10 * 2;
        let chunks = [chunk * 2, chunk, chunk, chunk, chunk, chunk];
        let parts = shown(last, &chunks);
        let first = chunk * 20;
        let end = chunks.iter().sum::<u64>() * 10;
        assert_eq!(
            parts,
            [
                Part::Bytes(0..first),
                Part::Gap { seq: chunk * 5, lines: chunk * 3 },
                Part::Bytes(first + chunk * 30..end + 1),
            ]
        );
    }
}
