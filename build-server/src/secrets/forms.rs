//! The forms in which a secret may be written, as the needles that are looked for.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::known::SHORTEST;

/// How long a piece of a long form is. Base64 is wrapped after 76 characters and hexadecimal after 60, so that
/// theirs fit into a line.
const PIECE: usize = 256;
const BASE64_PIECE: usize = 38;
const HEX_PIECE: usize = 60;

/// Of a secret that is longer than this, encoded forms are not looked for: the automaton would become too large.
const LONGEST_ENCODED: usize = 8 * 1024;

/// How long a needle must be to be no chance.
const CERTAIN: usize = 8;
const CERTAIN_PART: usize = 16;
const CERTAIN_BASE64: usize = 10;

/// Bytes to look for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needle {
    pub(super) bytes: Vec<u8>,
    /// Whether they are not found by chance.
    pub(super) certain: bool,
}

/// All needles of a secret, each once.
pub(super) fn of(secret: &[u8]) -> Vec<Needle> {
    let mut needles = Needles::default();
    let text = String::from_utf8_lossy(secret);
    let trimmed = text.trim();
    let lines: Vec<_> = trimmed.lines().map(str::trim).collect();
    needles.add(secret, PIECE, CERTAIN);
    for whole in [trimmed, &lines.join("\n")] {
        for escaped in [whole.to_owned(), json(whole), ascii_json(whole), html(whole)] {
            needles.add(escaped.as_bytes(), PIECE, CERTAIN);
        }
        for encoded in url(whole) {
            needles.add(encoded.as_bytes(), PIECE, CERTAIN);
        }
    }
    for line in lines.iter().filter(|_| lines.len() > 1) {
        // A line of words may stand anywhere; one of letters and digits alone is a key.
        let certain = if line.contains(char::is_whitespace) { usize::MAX } else { CERTAIN_PART };
        needles.add(line.as_bytes(), PIECE, certain);
        needles.add(json(line).as_bytes(), PIECE, certain);
    }
    for bytes in [secret, trimmed.as_bytes()].into_iter().filter(|bytes| bytes.len() <= LONGEST_ENCODED) {
        for skipped in 0..3 {
            let encoded = base64(bytes, skipped);
            let url_safe: Vec<u8> = encoded.iter().map(|byte| url_safe(*byte)).collect();
            needles.add(&encoded, BASE64_PIECE, CERTAIN_BASE64);
            needles.add(&url_safe, BASE64_PIECE, CERTAIN_BASE64);
        }
        let hex = gitdeploy_core::hash::hexadecimal(bytes);
        needles.add(hex.as_bytes(), HEX_PIECE, CERTAIN_PART);
        needles.add(hex.to_uppercase().as_bytes(), HEX_PIECE, CERTAIN_PART);
    }
    needles.0.into_iter().map(|(bytes, certain)| Needle { bytes, certain }).collect()
}

#[derive(Default)]
struct Needles(HashMap<Vec<u8>, bool>);

impl Needles {
    /// Adds a form, in pieces of `piece` bytes if it is longer. What is at least `certain` bytes long is certain.
    fn add(&mut self, form: &[u8], piece: usize, certain: usize) {
        let mut pieces: Vec<&[u8]> = form.chunks(piece).collect();
        if pieces.len() > 1 && pieces.last().is_some_and(|last| last.len() < SHORTEST) {
            // Too short to be looked for alone, it counts with the piece before it.
            pieces.pop();
            pieces.push(&form[(pieces.len() - 1) * piece..]);
        }
        // The last of several pieces may be the end of many texts.
        let is_whole = pieces.len() == 1;
        for bytes in pieces.into_iter().filter(|bytes| bytes.len() >= SHORTEST) {
            let is_certain = bytes.len() >= certain && (is_whole || bytes.len() >= piece);
            *self.0.entry(bytes.to_vec()).or_default() |= is_certain;
        }
    }
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As tools write JSON that must be ASCII, and safe within HTML.
fn ascii_json(text: &str) -> String {
    let mut escaped = String::new();
    for character in json(text).chars() {
        if matches!(character, '<' | '>' | '&' | '\u{80}'..) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to memory does not fail.
                write!(escaped, "\\u{unit:04x}").ok();
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Percent-encoded: as a component of an address (RFC 3986, and as JavaScript does it), with digits in either case,
/// and as a form.
fn url(text: &str) -> [String; 4] {
    let encode = |kept: &str, space: &str, upper: bool| -> String {
        let byte = |byte: u8| match byte {
            b' ' if !space.is_empty() => space.to_owned(),
            _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                char::from(byte).to_string()
            }
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        text.bytes().map(byte).collect()
    };
    [
        encode("-._~", "", true),
        encode("-._~", "", false),
        encode("-._~!*'()", "", true),
        encode("-._*", "+", true),
    ]
}

/// The characters of base64 that say nothing but `bytes`, where these follow `skipped` others.
fn base64(bytes: &[u8], skipped: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    // A character is six bits. The first that begins within the bytes is some bits behind their start.
    let first = (6 - skipped * 8 % 6) % 6;
    let starts = (first..).step_by(6).take_while(|start| start + 6 <= bytes.len() * 8);
    starts.map(|start| ALPHABET[(start..start + 6).fold(0, |value, at| value << 1 | bit(at))]).collect()
}

fn url_safe(byte: u8) -> u8 {
    match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(secret: &str, text: &str) -> bool {
        let text = text.as_bytes();
        of(secret.as_bytes())
            .iter()
            .any(|needle| text.windows(needle.bytes.len()).any(|part| part == needle.bytes))
    }

    #[test]
    fn every_form_is_looked_for() {
        let secret = "p@ss \"wörd\"/&+x";
        for text in [
            "p@ss \"wörd\"/&+x",
            r#"p@ss \"wörd\"/&+x"#,
            r#"p@ss \"w\u00f6rd\"/\u0026+x"#,
            "p@ss &quot;wörd&quot;/&amp;+x",
            "p%40ss%20%22w%C3%B6rd%22%2F%26%2Bx",
            "p%40ss%20%22w%c3%b6rd%22%2f%26%2bx",
            "p%40ss+%22w%C3%B6rd%22%2F%26%2Bx",
            "cEBzcyAid8O2cmQiLyYreA==",
            "70407373202277c3b67264222f262b78",
            "70407373202277C3B67264222F262B78",
        ] {
            assert!(holds(secret, text), "{text}");
        }
        assert!(!holds(secret, "p@ss"));
    }

    #[test]
    fn base64_is_found_wherever_the_secret_begins() {
        let secret = b"correct horse battery staple?>~";
        for before in 0..4 {
            let text = [&vec![b'x'; before][..], secret, b"yy"].concat();
            let encoded = String::from_utf8(base64(&text, 0)).unwrap();
            let wanted = String::from_utf8(base64(secret, before % 3)).unwrap();
            assert!(encoded.contains(&wanted), "{encoded} {wanted}");
            assert!(wanted.len() >= secret.len() * 8 / 6 - 1);
        }
    }

    #[test]
    fn a_secret_of_several_lines_is_looked_for_line_by_line() {
        let secret = "-----BEGIN KEY-----\r\nabcdefghijklmnopqrst\r\nshort\r\n  spaces are words\r\n";
        assert!(holds(secret, "> abcdefghijklmnopqrst <"));
        assert!(holds(secret, r"BEGIN KEY-----\nabcdefghijklmnopqrst\nshort\nspaces"));
        assert!(!holds(secret, "short"));
        let certain = |text: &str| {
            of(secret.as_bytes()).iter().any(|needle| needle.bytes == text.as_bytes() && needle.certain)
        };
        assert!(certain("abcdefghijklmnopqrst") && !certain("spaces are words"));
    }

    #[test]
    fn needles_of_a_long_secret_are_short() {
        let secret: String =
            (0..1500).map(|number| char::from(b'a' + u8::try_from(number * 7 % 26).unwrap())).collect();
        let needles = of(secret.as_bytes());
        assert!(needles.iter().all(|needle| (SHORTEST..=PIECE + SHORTEST).contains(&needle.bytes.len())));
        let encoded = base64(secret.as_bytes(), 0);
        let whole_lines = encoded.chunks(76).filter(|line| line.len() == 76);
        for line in whole_lines {
            assert!(line.chunks(38).all(|piece| needles.iter().any(|needle| needle.bytes == piece)));
        }
    }
}
