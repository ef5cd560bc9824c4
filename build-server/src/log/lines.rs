//! Bytes of a pipe as lines without secrets.

use std::ops::Range;
use std::sync::Arc;

use crate::secrets::{Redactor, Secrets, escape};

/// The longest line, in bytes; a longer one continues as the next.
pub(super) const LONGEST: usize = 16 * 1024;

/// How much of a line is looked at together. What is behind the longest line of it is cut only with what follows:
/// no secret is as long, even if it is coloured.
const WINDOW: usize = 4 * LONGEST;

/// How far back an escape sequence is not cut.
const ESCAPE: usize = 64;

/// What ends a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// A line end, or the end of the text.
    Line,
    /// A return to the first column: what follows is written over it.
    Return,
    /// It is longer than a line may be, and continues.
    Cut,
}

/// Cuts bytes into lines at `\n` and `\r\n`, at a bare `\r` or what moves the cursor there, and where a line is too
/// long: not within a character, an escape sequence or a secret. Secrets are replaced.
#[derive(Debug)]
pub(super) struct Lines {
    redactor: Redactor,
    partial: Vec<u8>,
    /// How much of `partial` holds no end.
    seen: usize,
    /// Whether `partial` continues a line.
    continues: bool,
}

impl Lines {
    pub(super) fn new(secrets: Arc<Secrets>) -> Self {
        Self { redactor: Redactor::new(secrets), partial: Vec::new(), seen: 0, continues: false }
    }

    /// Gives `sink` what `bytes` complete.
    pub(super) fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8], Ending)) {
        self.partial.extend_from_slice(bytes);
        let text = std::mem::take(&mut self.partial);
        let (mut start, mut at) = (0, self.seen);
        while let Some(place) = memchr::memchr3(b'\n', b'\r', 0x1B, &text[at..]).map(|place| at + place) {
            let (ending, length) = match end(&text[place..]) {
                End::Of(ending, length) => (ending, length),
                End::None => {
                    at = place + 1;
                    continue;
                }
                End::Unknown => {
                    at = place;
                    break;
                }
            };
            self.pieces(&text, start..place, Some(ending), &mut sink);
            start = place + length;
            at = start;
        }
        let is_open = at >= text.len() || end(&text[at..]) != End::Unknown;
        if text.len() - start > WINDOW {
            start = self.pieces(&text, start..text.len(), None, &mut sink);
        }
        self.seen = if is_open { text.len() - start } else { at.saturating_sub(start) };
        self.partial = text;
        self.partial.drain(..start);
    }

    /// Gives `sink` a text that was returned from, if that is all that is there: nothing may follow for long.
    pub(super) fn rest(&mut self, mut sink: impl FnMut(&[u8], Ending)) {
        if self.partial.last() == Some(&b'\r') {
            let text = std::mem::take(&mut self.partial);
            self.pieces(&text, 0..text.len() - 1, Some(Ending::Return), &mut sink);
            self.seen = 0;
        }
    }

    /// Gives `sink` the line that was never ended, if there is one.
    pub(super) fn finish(&mut self, mut sink: impl FnMut(&[u8], Ending)) {
        let text = std::mem::take(&mut self.partial);
        let end = text.len() - usize::from(text.last() == Some(&b'\r'));
        if end > 0 {
            self.pieces(&text, 0..end, Some(Ending::Line), &mut sink);
        }
    }

    /// Gives `sink` the text in `range` in pieces of a line each, and returns where it stopped: at the end if the
    /// text has an ending, else so far before it that no secret is cut.
    fn pieces(
        &mut self,
        text: &[u8],
        range: Range<usize>,
        ending: Option<Ending>,
        sink: &mut impl FnMut(&[u8], Ending),
    ) -> usize {
        let (text, offset) = (&text[range.clone()], range.start);
        let found = self.redactor.find(text);
        let mut start = 0;
        let behind = if ending.is_some() { 0 } else { LONGEST };
        while text.len() - start > LONGEST + behind {
            let cut = found.cut(boundary(text, start, start + LONGEST));
            sink(&self.redactor.redact(text, start..cut, &found, !self.continues), Ending::Cut);
            self.continues = true;
            start = cut;
        }
        if let Some(ending) = ending {
            sink(&self.redactor.redact(text, start..text.len(), &found, !self.continues), ending);
            self.continues = false;
            start = text.len();
        }
        offset + start
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// So many bytes end a piece.
    Of(Ending, usize),
    /// They end nothing.
    None,
    /// What follows decides.
    Unknown,
}

/// What `\n`, `\r` or an escape sequence, with which `text` begins, means.
fn end(text: &[u8]) -> End {
    match text {
        [b'\n', ..] => End::Of(Ending::Line, 1),
        [b'\r', b'\n', ..] => End::Of(Ending::Line, 2),
        [b'\r', _, ..] => End::Of(Ending::Return, 1),
        // To the first column: ECMA-48 §8.3.9.
        [0x1B, b'[', b'G', ..] => End::Of(Ending::Return, 3),
        [0x1B, b'[', b'0' | b'1', b'G', ..] => End::Of(Ending::Return, 4),
        [b'\r' | 0x1B] | [0x1B, b'['] | [0x1B, b'[', b'0' | b'1'] => End::Unknown,
        _ => End::None,
    }
}

/// The last place in `text` up to `limit` that is neither within an escape sequence nor within a character, whose
/// later bytes are `10xxxxxx`.
fn boundary(text: &[u8], start: usize, limit: usize) -> usize {
    let from = limit.saturating_sub(ESCAPE).max(start + 1);
    if let Some(place) = memchr::memrchr(0x1B, &text[from..limit]).map(|place| from + place)
        && place + escape(&text[place..]) > limit
    {
        return place;
    }
    (limit - 3..=limit).rev().find(|place| text[*place] & 0xC0 != 0x80).unwrap_or(limit)
}

#[cfg(test)]
mod tests;
