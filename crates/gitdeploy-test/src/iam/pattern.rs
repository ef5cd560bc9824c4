//! Patterns with `*`, `?` and variables such as `${aws:PrincipalTag/project}`.

use super::Context;
use super::document::Mistake;

/// A text of a policy, to be compared with one of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Many,
    Variable { key: String, default: Option<String> },
}

/// A pattern whose variables have values; these stand for themselves, whatever they contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Char(char),
    One,
    Many,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mut read = first.len_utf8();
            tokens.push(match first {
                '*' => Token::Many,
                '?' => Token::One,
                '$' if rest.starts_with("${") => {
                    let end = rest
                        .find('}')
                        .ok_or_else(|| Mistake(format!("`{text}` has a `${{` without `}}`")))?;
                    read = end + 1;
                    variable(&rest[2..end])
                        .ok_or_else(|| Mistake(format!("`{text}` has a variable that is none")))?
                }
                first => Token::Char(first),
            });
            rest = &rest[read..];
        }
        Ok(Self(tokens))
    }

    /// The text of an ARN or `*`.
    pub(super) fn parse_arn(text: &str) -> Result<Self, Mistake> {
        let pattern = Self::parse(text)?;
        let parts = pattern.0.splitn(ARN_PARTS, is_colon).count();
        if text != "*" && (parts < ARN_PARTS || !text.starts_with("arn:")) {
            return Err(Mistake(format!("`{text}` is no ARN")));
        }
        Ok(pattern)
    }

    /// Whether it matches; `None`: it has a variable without a value.
    pub(super) fn matches(&self, text: &str, context: &Context) -> Option<bool> {
        Some(glob(&resolve(&self.0, context)?, &chars(text)))
    }

    /// The same without regard to case.
    pub(super) fn matches_any_case(&self, text: &str, context: &Context) -> Option<bool> {
        let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
        let pieces = resolve(&self.0, context)?.into_iter().map(|piece| match piece {
            Piece::Char(c) => Piece::Char(lower(c)),
            other => other,
        });
        let text: Vec<char> = text.chars().map(lower).collect();
        Some(glob(&pieces.collect::<Vec<_>>(), &text))
    }

    /// Whether it is the same text: `*` and `?` stand for themselves.
    pub(super) fn equals(&self, text: &str, context: &Context) -> Option<bool> {
        Some(self.text(context)? == text)
    }

    /// The same without regard to case.
    pub(super) fn equals_any_case(&self, text: &str, context: &Context) -> Option<bool> {
        Some(self.text(context)?.to_lowercase() == text.to_lowercase())
    }

    fn text(&self, context: &Context) -> Option<String> {
        let pieces = resolve(&self.0, context)?.into_iter().map(|piece| match piece {
            Piece::Char(c) => c,
            Piece::One => '?',
            Piece::Many => '*',
        });
        Some(pieces.collect())
    }

    /// Whether it matches an ARN. A wildcard does not reach over the colons that part its first five fields.
    pub(super) fn matches_arn(&self, arn: &str, context: &Context) -> Option<bool> {
        if self.0 == [Token::Many] {
            return Some(true);
        }
        let patterns: Vec<Vec<Piece>> =
            self.0.splitn(ARN_PARTS, is_colon).map(|part| resolve(part, context)).collect::<Option<_>>()?;
        let parts: Vec<Vec<char>> = arn.splitn(ARN_PARTS, ':').map(chars).collect();
        let same = patterns.len() == parts.len();
        Some(same && patterns.iter().zip(&parts).all(|(pattern, part)| glob(pattern, part)))
    }
}

const ARN_PARTS: usize = 6;

fn is_colon(token: &Token) -> bool {
    *token == Token::Char(':')
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn variable(inside: &str) -> Option<Token> {
    if let "*" | "?" | "$" = inside {
        return inside.chars().next().map(Token::Char);
    }
    let (key, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            (key.trim(), Some(default.to_owned()))
        }
    };
    let is_key = key.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    is_key.then(|| Token::Variable { key: key.to_owned(), default })
}

fn resolve(tokens: &[Token], context: &Context) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    for token in tokens {
        match token {
            Token::Char(c) => pieces.push(Piece::Char(*c)),
            Token::One => pieces.push(Piece::One),
            Token::Many => pieces.push(Piece::Many),
            Token::Variable { key, default } => {
                let value = context.value(key).or(default.as_deref())?;
                pieces.extend(value.chars().map(Piece::Char));
            }
        }
    }
    Some(pieces)
}

fn glob(pattern: &[Piece], text: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on when a `*` has to reach further: behind it, and at the next character.
    let mut back: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(Piece::Many) => {
                back = Some((at + 1, from));
                at += 1;
            }
            Some(Piece::One) => (at, from) = (at + 1, from + 1),
            Some(Piece::Char(c)) if *c == text[from] => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((behind, reached)) = back else { return false };
                back = Some((behind, reached + 1));
                (at, from) = (behind, reached + 1);
            }
        }
    }
    pattern[at..].iter().all(|piece| *piece == Piece::Many)
}
