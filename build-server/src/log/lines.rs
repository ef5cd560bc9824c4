//! Bytes of a pipe as lines of text.

/// The longest line, in bytes; a longer one continues as the next.
const LONGEST: usize = 16 * 1024;

/// Cuts bytes into lines at `\n`, `\r\n` and after 16 KiB. Of a line that is written over with bare `\r`, as
/// progress bars do, the last version counts. What is no UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    partial: Vec<u8>,
}

impl LineSplitter {
    /// The lines that `bytes` complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                lines.push(text(&std::mem::take(&mut self.partial)));
            }
            while self.partial.len() > LONGEST {
                let rest = self.partial.split_off(boundary(&self.partial, LONGEST));
                lines.push(text(&std::mem::replace(&mut self.partial, rest)));
            }
        }
        lines
    }

    /// The line that was never ended, if there is one.
    pub(crate) fn finish(self) -> Vec<String> {
        if self.partial.is_empty() { Vec::new() } else { vec![text(&self.partial)] }
    }
}

/// The last place up to `limit` that is not within a UTF-8 character: its later bytes are `10xxxxxx`.
fn boundary(bytes: &[u8], limit: usize) -> usize {
    (limit - 3..=limit).rev().find(|place| bytes[*place] & 0xC0 != 0x80).unwrap_or(limit)
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let shown = line.rsplit(|byte| *byte == b'\r').find(|version| !version.is_empty()).unwrap_or_default();
    String::from_utf8_lossy(shown).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines: Vec<_> = pieces.iter().flat_map(|piece| splitter.push(piece)).collect();
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_end_where_they_should() {
        assert_eq!(split(&[b"one\ntwo\r\n\nthree"]), ["one", "two", "", "three"]);
        assert_eq!(split(&[b"on", b"e\nt", b"wo\n"]), ["one", "two"]);
        assert!(split(&[b""]).is_empty());
    }

    #[test]
    fn a_character_may_come_in_two_pieces() {
        assert_eq!(split(&[b"\xC3", b"\xBC\n"]), ["ü"]);
        assert_eq!(split(&[b"a\xFFb\n"]), ["a\u{FFFD}b"]);
    }

    #[test]
    fn a_line_that_is_written_over_counts_once() {
        assert_eq!(split(&[b"10%\r50%\r100%\n", b"done\r\n"]), ["100%", "done"]);
    }

    #[test]
    fn a_long_line_continues_and_keeps_its_characters() {
        let long = "ü".repeat(20_000);
        let lines = split(&[long.as_bytes()]);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= LONGEST && !line.contains('\u{FFFD}')));
        assert_eq!(lines.concat(), long);
    }
}
