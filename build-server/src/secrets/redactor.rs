//! Redacts one stream of text, piece by piece.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::patterns::Mark;
use super::private_key::PrivateKey;
use super::visible::visible;
use super::{Meaning, REPLACEMENT, Secrets};

/// What was found in a piece of text.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What must not be shown: in order, apart from each other.
    secrets: Vec<Range<usize>>,
    /// What must not be cut in two, since what follows depends on it.
    marks: Vec<Range<usize>>,
}

/// Hides secrets in a stream. It remembers whether a private key has begun.
#[derive(Debug)]
pub(crate) struct Redactor {
    secrets: Arc<Secrets>,
    key: PrivateKey,
}

impl Redactor {
    pub(crate) fn new(secrets: Arc<Secrets>) -> Self {
        Self { secrets, key: PrivateKey::default() }
    }

    /// The secrets in `text`: also those that escape sequences and control characters interrupt, and those within
    /// such sequences.
    pub(crate) fn find(&self, text: &[u8]) -> Found {
        let mut found = Found::default();
        for (range, meaning) in self.secrets.matches(text) {
            found.add(text, range, meaning, |range| range);
        }
        if self.secrets.has_controls(text) {
            let (seen, places) = visible(text);
            for (range, meaning) in self.secrets.matches(&seen) {
                found.add(&seen, range, meaning, |range| places[range.start]..places[range.end - 1] + 1);
            }
        }
        merge(&mut found.secrets);
        found
    }

    /// The part `range` of a text in which `found` was found, without secrets. `begins_line`: what was redacted
    /// before is not of the same line. Parts are to be redacted in their order.
    pub(crate) fn redact<'a>(
        &mut self,
        text: &'a [u8],
        range: Range<usize>,
        found: &Found,
        begins_line: bool,
    ) -> Cow<'a, [u8]> {
        let part = &text[range.clone()];
        let mut hidden: Vec<Range<usize>> = Vec::new();
        if !found.secrets.is_empty() {
            let within =
                found.secrets.iter().filter(|secret| secret.start < range.end && secret.end > range.start);
            hidden.extend(within.map(|secret| {
                secret.start.max(range.start) - range.start..secret.end.min(range.end) - range.start
            }));
        }
        if self.key.is_open() || !found.marks.is_empty() {
            hidden.extend(self.key.hide(part, begins_line));
            merge(&mut hidden);
        }
        replace(part, &hidden)
    }
}

impl Found {
    fn add(
        &mut self,
        text: &[u8],
        range: Range<usize>,
        meaning: Meaning,
        place: impl Fn(Range<usize>) -> Range<usize>,
    ) {
        match meaning {
            Meaning::Secret { .. } => self.secrets.push(place(range)),
            Meaning::Mark(Mark::PrivateKey) => {
                let rest = text[range.end..].iter().take(64);
                let end = range.end + rest.take_while(|byte| **byte != b'-').count();
                self.marks.push(place(range.start..text.len().min(end + 5)));
            }
            Meaning::Mark(mark) => self.secrets.extend(mark.secret(text, range).map(place)),
        }
    }

    /// The first place from `place` on where the text may be cut.
    pub(crate) fn cut(&self, mut place: usize) -> usize {
        while let Some(range) =
            self.secrets.iter().chain(&self.marks).find(|range| range.start < place && place < range.end)
        {
            place = range.end;
        }
        place
    }
}

/// Puts ranges in order, and those together that touch.
fn merge(ranges: &mut Vec<Range<usize>>) {
    if ranges.len() < 2 {
        return;
    }
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, range| {
        let touches = next.start <= range.end;
        if touches {
            range.end = range.end.max(next.end);
        }
        touches
    });
}

fn replace<'a>(text: &'a [u8], hidden: &[Range<usize>]) -> Cow<'a, [u8]> {
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut end) = (Vec::with_capacity(text.len()), 0);
    for range in hidden {
        shown.extend_from_slice(&text[end..range.start]);
        shown.extend_from_slice(REPLACEMENT.as_bytes());
        end = range.end;
    }
    shown.extend_from_slice(&text[end..]);
    Cow::Owned(shown)
}
