//! Knows the messages of well-known failures and says what they mean.

mod signatures;

use std::sync::LazyLock;

use gitdeploy_core::{Failure, FailureCode, Phase};
use regex::{Captures, Regex};

use signatures::{Kind, PATTERNS, SIGNATURES, Signature};

/// The longest part of a message that is repeated in a hint, in characters.
const LONGEST_QUOTE: usize = 120;

/// What a failure of a command is really about, by the lines that the command wrote. `failure` is what is known
/// without them; its cause stays.
pub(crate) fn explain<'a>(
    failure: Failure,
    phase: Phase,
    lines: impl IntoIterator<Item = &'a str>,
) -> Failure {
    let Some((signature, line)) = find(lines) else { return failure };
    let Ok(pattern) = Regex::new(&signature.pattern) else { return failure };
    let Some(captures) = pattern.captures(&line) else { return failure };
    let code = code(signature.kind, phase).unwrap_or(failure.code);
    Failure { code, ..failure }.fix(fill(&signature.fix, &captures)).hint(fill(&signature.hint, &captures))
}

/// The signature that comes first in the table of those that a line has, and the first such line.
fn find<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<(&'static Signature, String)> {
    let mut best: Option<(usize, String)> = None;
    for line in lines {
        let line = plain(line);
        let first = PATTERNS.matches(&line).iter().next();
        if let Some(place) = first
            && best.as_ref().is_none_or(|(best, _)| place < *best)
        {
            best = Some((place, line));
        }
    }
    best.map(|(place, line)| (&SIGNATURES[place], line))
}

fn code(kind: Kind, phase: Phase) -> Option<FailureCode> {
    match (kind, phase) {
        (Kind::Lockfile, _) => Some(FailureCode::InstallLockfile),
        (Kind::Memory, Phase::Install) => Some(FailureCode::InstallMemory),
        (Kind::Memory, _) => Some(FailureCode::BuildMemory),
        (Kind::Other, _) => None,
    }
}

/// The text with `$1` and the like replaced by what the message has there.
fn fill(text: &str, captures: &Captures<'_>) -> String {
    let mut filled = text.to_owned();
    for place in 1..captures.len() {
        let quote: String =
            captures.get(place).map_or("", |group| group.as_str()).chars().take(LONGEST_QUOTE).collect();
        filled = filled.replace(&format!("${place}"), &quote);
    }
    filled
}

/// The line as it is read: without colours, and without other characters that control a terminal.
fn plain(line: &str) -> String {
    static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)").expect("it is valid")
    });
    let line = ESCAPES.replace_all(line, "");
    line.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests;
