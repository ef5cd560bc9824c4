//! Private keys in a log: their bodies have no form of their own, and are hidden line by line between the marks.

use std::borrow::Cow;
use std::ops::Range;

use super::patterns::is_base64;
use super::visible::visible;

/// How long a body may be, in bytes: a key of RSA with 16,384 bits has 13 KB.
const LONGEST: usize = 16 * 1024;

/// How long the first word of a body is at least.
const WORD: usize = 16;

/// What stands between the words of a body that is written in one line.
const BETWEEN: &[u8] = b" \t\"',\\";

/// Where in a private key a log stands.
#[derive(Debug, Default)]
pub(super) struct PrivateKey {
    /// How many bytes of a body may still follow; 0: none.
    left: usize,
}

impl PrivateKey {
    /// Whether what follows may belong to a body.
    pub(super) fn is_open(&self) -> bool {
        self.left > 0
    }

    /// What of the next piece of a log belongs to bodies of keys. `begins_line`: it does not continue a line.
    pub(super) fn hide(&mut self, text: &[u8], begins_line: bool) -> Vec<Range<usize>> {
        let mut hidden = Vec::new();
        if self.is_open() && begins_line && !is_body_line(text) {
            self.left = 0;
        }
        let mut at = 0;
        loop {
            if self.left == 0 {
                let Some(end) = begin(&text[at..]) else { return hidden };
                at += end;
                if !begins_body(&text[at..]) {
                    continue;
                }
                self.left = LONGEST;
            }
            let end = memchr::memmem::find(&text[at..], b"-----END ").map(|end| at + end);
            let stop = end.unwrap_or(text.len()).min(at + self.left);
            if stop > at {
                hidden.push(at..stop);
            }
            self.left -= stop - at;
            at = stop;
            if end == Some(stop) {
                self.left = 0;
            } else if stop == text.len() {
                return hidden;
            }
        }
    }
}

/// Where the first line of a private key ends.
pub(super) fn begin(text: &[u8]) -> Option<usize> {
    const END: &[u8] = b"PRIVATE KEY-----";
    memchr::memmem::find_iter(text, b"-----BEGIN ").find_map(|start| {
        let name = &text[start..text.len().min(start + 64)];
        memchr::memmem::find(name, END).map(|at| start + at + END.len())
    })
}

/// Whether what follows the first line of a key, in the same line of the log, can be its body.
fn begins_body(rest: &[u8]) -> bool {
    let word = &rest[separators(rest)..];
    let length = word.iter().take_while(|byte| is_base64(**byte)).count();
    word.is_empty() || length >= WORD || is_header(word)
}

/// How many bytes stand before the first word, `\n` and `\r` as they are written in JSON among them.
pub(super) fn separators(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let is_escape = *byte == b'\\' && text.get(at + 1).is_some_and(|next| b"nr".contains(next));
        match byte {
            _ if is_escape => at += 2,
            byte if BETWEEN.contains(byte) || byte.is_ascii_whitespace() => at += 1,
            _ => break,
        }
    }
    at
}

/// Whether a line is one of a body, whatever stands before it, such as the time.
fn is_body_line(line: &[u8]) -> bool {
    let seen = if line.contains(&0x1B) { Cow::Owned(visible(line).0) } else { Cow::Borrowed(line) };
    let seen = seen.trim_ascii();
    let word = seen.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
    let bare = word.strip_suffix(b"\\n").unwrap_or(word);
    let is_word = bare.iter().all(|byte| is_base64(*byte) || *byte == b'=');
    let is_end = memchr::memmem::find(seen, b"-----END ").is_some();
    is_end || is_header(seen) || (is_word && (bare.len() >= WORD || word.len() == seen.len()))
}

fn is_header(text: &[u8]) -> bool {
    [&b"Proc-Type:"[..], b"DEK-Info:", b"Comment:", b"Version:"].iter().any(|header| text.starts_with(header))
}
