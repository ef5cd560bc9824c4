//! What a reader sees of a line: the text without escape sequences (ECMA-48 §5.4, §8.3.89) and control characters.

/// Bytes with which something begins that is not seen. `C2` begins the control characters from `U+0080`.
pub(super) const CONTROLS: &[u8] =
    b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0B\x0C\x0E\x0F\x10\x11\x12\x13\x14\x15\
    \x16\x17\x18\x19\x1A\x1B\x1C\x1D\x1E\x1F\x7F\xC2";

/// The bytes that are seen, and where in `line` each of them stands.
pub(super) fn visible(line: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut places) = (Vec::with_capacity(line.len()), Vec::with_capacity(line.len()));
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        match byte {
            0x1B => {
                at += escape(&line[at..]);
                continue;
            }
            0xC2 if line.get(at + 1).is_some_and(|next| (0x80..0xA0).contains(next)) => at += 1,
            b'\t' | 0x20..=0x7E | 0x80.. => {
                bytes.push(*byte);
                places.push(at);
            }
            _ => {}
        }
        at += 1;
    }
    (bytes, places)
}

/// What is seen of a text.
#[cfg(test)]
pub(crate) fn seen(text: &str) -> String {
    String::from_utf8_lossy(&visible(text.as_bytes()).0).into_owned()
}

/// Whether nothing is seen of `line` but blanks.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    visible(line).0.trim_ascii().is_empty()
}

/// How long the escape sequence is with which `text` begins. One that is not finished is as long as the text.
pub(crate) fn escape(text: &[u8]) -> usize {
    let after = |place: Option<usize>| place.map_or(text.len(), |place| place + 1);
    match text.get(1) {
        Some(b'[') => after((2..text.len()).find(|at| (b'@'..=b'~').contains(&text[*at]))),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            match (2..text.len()).find(|at| matches!(text[*at], 7 | 0x1B)) {
                Some(at) if text[at] == 0x1B && text.get(at + 1) == Some(&b'\\') => at + 2,
                end => after(end),
            }
        }
        Some(b' '..=b'/') => character(text, 2),
        Some(_) => character(text, 1),
        None => text.len(),
    }
}

/// Where the character ends that begins at `at`.
fn character(text: &[u8], at: usize) -> usize {
    let more = text.iter().skip(at + 1).take_while(|byte| *byte & 0xC0 == 0x80).take(3).count();
    text.len().min(at + 1 + more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_left_out() {
        for (line, expected) in [
            ("plain ✓\tü", "plain ✓\tü"),
            ("\u{1b}[32m✓\u{1b}[0m done", "✓ done"),
            ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
            ("a\0b\u{8}c\u{85}d\u{7f}", "abcd"),
            ("\u{1b}(Bx\u{1b}cy\u{1b}üz", "xyz"),
            ("cut \u{1b}[3", "cut "),
            ("cut \u{1b}]8;;x", "cut "),
            ("cut \u{1b}", "cut "),
        ] {
            let (bytes, places) = visible(line.as_bytes());
            assert_eq!(String::from_utf8_lossy(&bytes), expected, "{line:?}");
            assert!(places.iter().zip(&bytes).all(|(place, byte)| line.as_bytes()[*place] == *byte));
        }
    }
}
