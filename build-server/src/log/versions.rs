//! Lines that are written over again and again, as progress bars are: a few of their versions are told.

use std::time::{Duration, Instant};

use super::lines::Ending;
use crate::secrets::is_blank;

/// How long no other version is told after one that something else has replaced: at most four a second.
const PAUSE: Duration = Duration::from_millis(250);

/// The versions of the line that a stream writes.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// The newest version, while it is not told.
    held: Option<Vec<u8>>,
    /// When a version was last told that was not the last of its line.
    told: Option<Instant>,
    /// The number of the line, once a version of it was told.
    number: Option<u64>,
}

impl Versions {
    /// Takes a piece and tells what is to be told: `tell` gets the number of a line of which something was told
    /// already, and returns the number of the line.
    pub(super) fn take(
        &mut self,
        text: &[u8],
        ending: Ending,
        now: Instant,
        mut tell: impl FnMut(Option<u64>, &[u8]) -> u64,
    ) {
        match ending {
            Ending::Return => {
                if !is_blank(text) {
                    self.held = Some(text.to_vec());
                    self.look(now, tell);
                }
            }
            Ending::Line | Ending::Cut if self.held.is_none() && self.number.is_none() => {
                tell(None, text);
            }
            Ending::Line | Ending::Cut => {
                let (held, number) = (self.held.take(), self.number.take());
                // A line that was only cleared at last is what it was before.
                if !is_blank(text) {
                    tell(number, text);
                } else if let Some(held) = held {
                    tell(number, &held);
                }
            }
        }
    }

    /// Tells the newest version, if it is time.
    pub(super) fn look(&mut self, now: Instant, mut tell: impl FnMut(Option<u64>, &[u8]) -> u64) {
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= PAUSE);
        if is_due && let Some(held) = self.held.take() {
            self.number = Some(tell(self.number, &held));
            self.told = Some(now);
        }
    }

    /// Tells a version that nothing has followed.
    pub(super) fn finish(&mut self, mut tell: impl FnMut(Option<u64>, &[u8]) -> u64) {
        if let Some(held) = self.held.take() {
            tell(self.number.take(), &held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of pieces that come `every` so often, with the numbers of their lines.
    fn told(every: Duration, pieces: &[(&str, Ending)]) -> Vec<(u64, String)> {
        let (mut versions, mut told, mut now) = (Versions::default(), Vec::new(), Instant::now());
        let mut lines = 0;
        let mut tell = |number: Option<u64>, text: &[u8]| {
            lines += u64::from(number.is_none());
            let number = number.unwrap_or(lines);
            told.push((number, String::from_utf8(text.to_vec()).unwrap()));
            number
        };
        for (text, ending) in pieces {
            versions.take(text.as_bytes(), *ending, now, &mut tell);
            now += every;
        }
        versions.finish(tell);
        told
    }

    #[test]
    fn four_versions_a_second_and_the_last_are_told() {
        let mut pieces = vec![("before", Ending::Line)];
        let texts: Vec<_> = (0..100).map(|number| format!("{number}%")).collect();
        pieces.extend(texts.iter().map(|text| (text.as_str(), Ending::Return)));
        pieces.extend([("100%", Ending::Line), ("after", Ending::Line)]);
        let told = told(Duration::from_millis(10), &pieces);
        let texts: Vec<_> = told.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["before", "0%", "25%", "50%", "75%", "100%", "after"]);
        let numbers: Vec<_> = told.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 2, 2, 2, 2, 3]);
    }

    #[test]
    fn a_line_that_is_cleared_is_what_it_was() {
        use Ending::{Line, Return};
        let fast = Duration::from_millis(1);
        let check = |pieces: &[(&str, Ending)], expected: &[&str]| {
            let told = told(fast, pieces);
            assert_eq!(told.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), expected);
        };
        check(
            &[("1", Return), ("2", Return), ("   ", Return), ("\u{1b}[K", Line), ("", Line)],
            &["1", "2", ""],
        );
        check(&[("1", Return), ("", Line), ("next", Line)], &["1", "next"]);
        check(&[("1", Return), ("2", Return)], &["1", "2"]);
    }
}
