//! Events as plain text.

use gitdeploy_core::event::{PhaseState, Stream};
use gitdeploy_core::{Body, Event};

/// The event as lines of plain text, each with its line end; empty for one that has nothing to show.
pub(crate) fn line(event: &Event) -> String {
    match &event.body {
        Body::Phase(change) => match change.state {
            PhaseState::Started => format!("--- {}\n", change.phase),
            PhaseState::Finished | PhaseState::Failed => String::new(),
        },
        Body::Plan { decisions } => {
            let lines = decisions.iter().map(|decision| format!("{}\n", plain(&decision.to_string())));
            lines.collect::<Vec<_>>().concat()
        }
        Body::Log(log) if log.stream == Stream::Builder => format!("* {}\n", plain(&log.text)),
        Body::Log(log) => format!("{}\n", plain(&log.text)),
        Body::Gap { lines, reason } => format!("[{lines} lines {}]\n", plain(reason)),
        Body::Notice { text } => format!("note: {}\n", plain(text)),
        Body::Progress { .. } => String::new(),
        Body::End(end) => {
            let state = gitdeploy_core::State::from(end.state);
            match &end.failure {
                None => format!("--- {state}\n"),
                Some(failure) => {
                    let line = |name: &str, text: &Option<String>| {
                        text.as_ref().map(|text| format!("{name}: {}\n", plain(text))).unwrap_or_default()
                    };
                    let (hint, fix) = (line("hint", &failure.hint), line("fix", &failure.fix));
                    format!("--- {state}: {}\n{hint}{fix}", plain(&failure.cause))
                }
            }
        }
    }
}

/// The text without escape sequences (ECMA-48 §5.4, §8.3.89) and other control characters, which could move
/// a reader's cursor or colour the rest of the log.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                Some('[') => while characters.next().is_some_and(|next| !('@'..='~').contains(&next)) {},
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(next) = characters.next() {
                        if next == '\u{7}' {
                            break;
                        }
                        if next == '\u{1b}' {
                            characters.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                Some(' '..='/') => {
                    characters.next();
                }
                _ => {}
            },
            '\t' => plain.push('\t'),
            character if character.is_control() => {}
            character => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::event::{LogLine, PhaseChange};
    use gitdeploy_core::{End, Failure, FailureCode, Phase};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn escape_sequences_are_removed() {
        for (text, expected) in [
            ("plain ✓", "plain ✓"),
            ("\u{1b}[32m✓\u{1b}[0m done", "✓ done"),
            ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}[2J\u{1b}[1;1Hgone", "gone"),
            ("a\rb\u{8}c\td", "abc\td"),
            ("\u{1b}(Bx\u{1b}cy", "xy"),
            ("cut \u{1b}[3", "cut "),
            ("cut \u{1b}", "cut "),
        ] {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }

    #[test]
    fn events_are_lines() {
        let check = |body: Body, expected: &str| {
            assert_eq!(line(&Event { seq: 1, at: Timestamp::UNIX_EPOCH, body }), expected);
        };
        check(
            Body::Phase(PhaseChange {
                phase: Phase::Clone,
                state: PhaseState::Started,
                ms: None,
                exit_code: None,
                summary: None,
            }),
            "--- clone\n",
        );
        check(
            Body::Log(LogLine { phase: Phase::Build, stream: Stream::Stderr, line: 1, text: "x".to_owned() }),
            "x\n",
        );
        check(Body::Gap { lines: 3, reason: "were dropped".to_owned() }, "[3 lines were dropped]\n");
        check(Body::End(End::ready(1, 2)), "--- ready\n");
        let failure = Failure::new(FailureCode::BuildExit, "the build exited with 2").fix("mend it");
        check(
            Body::End(End::unsuccessful(gitdeploy_core::event::Outcome::Failed, None, failure)),
            "--- failed: the build exited with 2\nfix: mend it\n",
        );
    }
}
