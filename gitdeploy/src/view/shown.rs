//! Text that a build wrote, made safe for a terminal.

/// The text with its colours (`ESC [ … m`) and without anything else that a terminal obeys: a log must not
/// move the cursor, rename the window or write to the clipboard (ECMA-48 §5, §8.3.117).
pub(crate) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if character == '\x1b' {
            let (sequence, after) = escape(rest);
            if is_colour(sequence) {
                safe.push_str(sequence);
            }
            rest = after;
            continue;
        }
        if character == '\t' || !character.is_control() {
            safe.push(character);
        }
        rest = &rest[character.len_utf8()..];
    }
    safe
}

/// Splits the escape sequence off with which `text` starts.
fn escape(text: &str) -> (&str, &str) {
    let end = match text.as_bytes().get(1) {
        // A control sequence goes on to its final byte.
        Some(b'[') => {
            text.bytes().skip(2).position(|byte| (0x40..=0x7e).contains(&byte)).map(|place| place + 3)
        }
        // A command string goes on to BEL or ESC \.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = text.find('\x07').map(|place| place + 1);
            let terminator = text[1..].find("\x1b\\").map(|place| place + 3);
            bell.into_iter().chain(terminator).min()
        }
        Some(byte) if byte.is_ascii() => Some(2),
        _ => Some(1),
    };
    // A sequence that does not end hides the rest of the line, as it would on a terminal.
    text.split_at(end.unwrap_or(text.len()))
}

fn is_colour(sequence: &str) -> bool {
    let parameters = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('m'));
    parameters.is_some_and(|parameters| {
        parameters.bytes().all(|byte| byte.is_ascii_digit() || b";:".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_commands_go() {
        for (text, expected) in [
            ("plain ü\t.", "plain ü\t."),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1b[38;2;1;2;3mtrue\x1b[m", "\x1b[38;2;1;2;3mtrue\x1b[m"),
            ("a\x1b[2Jb\x1b[1;1Hc", "abc"),
            ("a\x1b]0;title\x07b", "ab"),
            ("a\x1b]52;c;YQ==\x1b\\b", "ab"),
            ("a\x1bcb", "ab"),
            ("a\rb\x08c\u{9b}2Jd", "abc2Jd"),
            ("a\x1b]never ends", "a"),
            ("a\x1b[31", "a"),
            ("a\x1b", "a"),
            ("a\x1bü", "aü"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
