//! What must not be shown: the secrets of a build in every form in which tools write them, and what looks like a
//! secret whoever it belongs to. One automaton finds both, in the log and in the output.

mod certain;
mod forms;
mod known;
mod patterns;
mod private_key;
mod redactor;
mod scan;
mod visible;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};

use forms::Needle;
pub(crate) use known::{Known, Secret};
use patterns::{MARKS, Mark};
pub(crate) use redactor::Redactor;
pub(crate) use scan::{Finding, What};
#[cfg(test)]
pub(crate) use visible::seen;
pub(crate) use visible::{escape, is_blank};

/// What stands in the place of a secret.
pub(crate) const REPLACEMENT: &str = "[redacted]";

/// How many bytes of needles make an automaton with a row for each state; one of more would need too much memory.
const DENSE: usize = 24 * 1024;

/// Finds secrets.
#[derive(Debug)]
pub(crate) struct Secrets {
    automaton: AhoCorasick,
    /// What each needle of the automaton stands for.
    meanings: Vec<Meaning>,
    /// Finds bytes that are not seen.
    controls: AhoCorasick,
    /// The names of the variables that hold the secrets.
    names: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// The secret with this number. One that is `certain` is not found by chance.
    Secret { number: usize, certain: bool },
    /// What may begin a secret that nobody has told us.
    Mark(Mark),
}

impl Secrets {
    pub(crate) fn new(secrets: &[Secret]) -> Result<Self, BuildError> {
        let (mut needles, mut meanings): (Vec<Vec<u8>>, Vec<Meaning>) =
            MARKS.iter().map(|(text, mark)| (text.as_bytes().to_vec(), Meaning::Mark(*mark))).unzip();
        let mut names = Vec::new();
        for (number, secret) in secrets.iter().enumerate() {
            names.push(secret.name.clone());
            for Needle { bytes, certain } in forms::of(secret.value.as_bytes()) {
                needles.push(bytes);
                meanings.push(Meaning::Secret { number, certain });
            }
        }
        let bytes: usize = needles.iter().map(Vec::len).sum();
        let kind = if bytes <= DENSE { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let build = |needles: &[Vec<u8>], kind| {
            AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(kind)).build(needles)
        };
        let controls: Vec<_> = visible::CONTROLS.iter().map(|byte| vec![*byte]).collect();
        Ok(Self {
            automaton: build(&needles, kind)?,
            meanings,
            controls: build(&controls, AhoCorasickKind::DFA)?,
            names,
        })
    }

    /// Replaces every secret in `text`.
    pub(crate) fn redact(self: &Arc<Self>, text: &mut String) {
        let mut redactor = Redactor::new(self.clone());
        let found = redactor.find(text.as_bytes());
        if let Cow::Owned(shown) = redactor.redact(text.as_bytes(), 0..text.len(), &found, true) {
            *text = String::from_utf8_lossy(&shown).into_owned();
        }
    }

    /// Everything in `text`, wherever it overlaps.
    fn matches<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (Range<usize>, Meaning)> + 'a {
        let found = self.automaton.find_overlapping_iter(text);
        found.map(|found| (found.range(), self.meanings[found.pattern().as_usize()]))
    }

    fn has_controls(&self, text: &[u8]) -> bool {
        self.controls.is_match(text)
    }
}
