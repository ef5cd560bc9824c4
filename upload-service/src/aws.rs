//! What AWS says, for people.

use std::error::Error;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};

/// How much of a message of AWS is shown, in characters.
const LONGEST: usize = 400;

/// Why a request failed, in one sentence. The SDK's own errors are trees that print headers.
pub(crate) fn said<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => one_line(&format!("{message} ({code})")),
        (Some(code), None) => one_line(code),
        (None, _) => {
            let mut deepest: &dyn Error = error;
            while let Some(source) = deepest.source() {
                deepest = source;
            }
            one_line(&format!("no answer: {deepest}"))
        }
    }
}

/// One line of a text that AWS wrote, not too long and without a full stop.
pub(crate) fn one_line(text: &str) -> String {
    let line: String =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let line = line.trim().trim_end_matches('.');
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_short_line() {
        assert_eq!(one_line("TaskDefinition not found.\n"), "TaskDefinition not found");
        assert_eq!(one_line("a\nb\u{1b}[1m"), "a b [1m");
        assert_eq!(one_line(&"ü".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
