//! Messages of the program as sentences on a page.

use askama::Template;

/// A message with a capital and a full stop, and as code what stands in back-ticks.
#[derive(Template)]
#[template(path = "sentence.html")]
pub(super) struct Sentence {
    pieces: Vec<Piece>,
}

struct Piece {
    text: String,
    is_code: bool,
}

impl Sentence {
    pub(super) fn of(message: &str) -> Self {
        let mut pieces = Vec::new();
        let mut add = |text: &str, is_code| {
            if !text.is_empty() {
                pieces.push(Piece { text: text.to_owned(), is_code });
            }
        };
        let mut rest = message;
        while let Some((before, (code, after))) =
            rest.split_once('`').and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
        {
            add(before, false);
            add(code, true);
            rest = after;
        }
        add(rest, false);
        if !rest.ends_with(['.', '!', '?']) {
            add(".", false);
        }
        if let Some(Piece { text, is_code: false }) = pieces.first_mut() {
            *text = capital(text);
        }
        Self { pieces }
    }
}

/// The text with a capital at its begin.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_sentence() {
        for (message, expected) in [
            ("there is no deployment `x`", "There is no deployment <code>x</code>."),
            ("`PUT` cannot be done here", "<code>PUT</code> cannot be done here."),
            ("try `a`, or `b` twice", "Try <code>a</code>, or <code>b</code> twice."),
            ("is it over?", "Is it over?"),
            ("a <b> `<i>`", "A &#60;b&#62; <code>&#60;i&#62;</code>."),
            ("there is nothing at `/a`b`", "There is nothing at <code>/a</code>b`."),
        ] {
            assert_eq!(Sentence::of(message).to_string(), expected);
        }
    }
}
