//! A text with placeholders that a rule fills with parts of the request.

use serde::{Deserialize, Serialize};

use super::Captures;

/// A text with placeholders like `:name`. One that the rule does not capture stands for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

/// A part of a pattern or a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    /// Stands for itself.
    Literal(String),
    /// A placeholder, without its colon.
    Name(String),
}

impl Template {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of what may be placeholders.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The text with the captured parts in it, if that has at most `most` bytes: it may name a part of the address
    /// hundreds of times, and visitors choose how long that is.
    pub fn expand(&self, captures: &Captures<'_>, most: usize) -> Option<String> {
        let mut expanded = String::with_capacity(self.text.len().min(most));
        for piece in &self.pieces {
            let (mark, text) = match piece {
                Piece::Literal(literal) => ("", literal.as_str()),
                Piece::Name(name) => captures.get(name).map_or((":", name.as_str()), |value| ("", value)),
            };
            if mark.len() + text.len() > most - expanded.len() {
                return None;
            }
            expanded.extend([mark, text]);
        }
        Some(expanded)
    }
}

impl From<String> for Template {
    fn from(text: String) -> Self {
        Self { pieces: pieces(&text), text }
    }
}

impl From<&str> for Template {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

/// The parts of `text`. A name begins with a letter and ends before what is neither letter, digit nor `_`, so
/// that `:id` and `:id2` are two names, and `:8080` is a port.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut literal, mut rest) = (0, 0);
    while let Some(colon) = text[rest..].find(':').map(|at| rest + at) {
        rest = colon + 1;
        let name = &text[rest..];
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = name.find(|character| !is_part(character)).unwrap_or(name.len());
        if literal < colon {
            pieces.push(Piece::Literal(text[literal..colon].to_owned()));
        }
        pieces.push(Piece::Name(name[..end].to_owned()));
        rest += end;
        literal = rest;
    }
    if literal < text.len() {
        pieces.push(Piece::Literal(text[literal..].to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_alike_do_not_collide() {
        let mut captures = Captures::default();
        captures.insert("id", "1");
        captures.insert("id2", "2");
        for (template, expected) in [
            ("/o/:id2/:id", "/o/2/1"),
            ("/:id:id2", "/12"),
            (":id-x", "1-x"),
            ("https://host:8080/:id", "https://host:8080/1"),
            ("/:other/:id_", "/:other/:id_"),
            ("::id:", ":1:"),
            ("", ""),
        ] {
            let expanded = Template::from(template).expand(&captures, 100);
            assert_eq!(expanded.as_deref(), Some(expected), "{template}");
        }
    }

    #[test]
    fn a_text_does_not_grow_without_bounds() {
        let mut captures = Captures::default();
        captures.insert("a", "1234");
        for (template, most, is_short) in
            [(":a:a", 8, true), (":a-:a", 8, false), (":b", 1, false), ("", 0, true)]
        {
            assert_eq!(Template::from(template).expand(&captures, most).is_some(), is_short, "{template}");
        }
    }
}
