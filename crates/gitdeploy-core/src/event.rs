//! What a build tells while it runs: one JSON object per event.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::phase::Phase;

/// One thing that happened in a build. `seq` counts from 1 within an attempt. Each is one more than the one before,
/// or it is that of a [`Body::Gap`], which stands for all events up to its own number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The event's place in its attempt, from 1.
    pub seq: u64,
    /// When it happened; in milliseconds since 1970 on the wire.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// The kinds of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// A phase began or ended.
    Phase(PhaseChange),
    /// What the build will do, each value with the rule that decided it.
    Plan {
        /// The decisions, in the order in which they were made.
        decisions: Vec<Decision>,
    },
    /// One line that the build wrote.
    Log(LogLine),
    /// Lines that are missing here.
    Gap {
        /// How many lines are missing.
        lines: u64,
        /// Why they are missing, as the end of a sentence that starts with their number.
        reason: String,
    },
    /// Something the author should know that is no failure.
    Notice {
        /// One sentence.
        text: String,
    },
    /// How far a phase has come.
    Progress {
        /// The phase.
        phase: Phase,
        /// How much is done.
        done: u64,
        /// How much there is, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// What is counted, such as `files` or `bytes`.
        unit: String,
    },
    /// The end: exactly one, always last.
    End(End),
}

/// That a phase began or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseChange {
    /// The phase.
    pub phase: Phase,
    /// Whether it began, or how it ended.
    pub state: PhaseState,
    /// How long it took, in milliseconds, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// What the command of the phase exited with, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What came of it in a few words, such as `312 files, 4.8 MB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// Where a phase stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseState {
    /// It began.
    Started,
    /// It ended well.
    Finished,
    /// It ended the build.
    Failed,
}

/// One value of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided, such as `install` or `output`.
    pub name: String,
    /// What it was decided to be.
    pub value: String,
    /// The rule that decided it.
    pub because: String,
    /// The file that the rule looked at, relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Decision {
    /// The rule that decided, and the file where the rule does not name it.
    pub fn why(&self) -> Cow<'_, str> {
        match &self.file {
            Some(file) if !self.because.contains(&format!("`{file}`")) => {
                format!("{}; `{file}`", self.because).into()
            }
            _ => self.because.as_str().into(),
        }
    }
}

/// The one line in which people read it.
impl fmt::Display for Decision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} ({})", self.name, self.value, self.why())
    }
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The phase in which it was written.
    pub phase: Phase,
    /// Where it was written to.
    pub stream: Stream,
    /// The line's number in the deployment's log, from 1. A line that is written over, as progress bars are, has
    /// the same number each time.
    pub line: u64,
    /// The line without its end; ANSI colours are kept.
    pub text: String,
}

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output of a command.
    Stdout,
    /// Standard error of a command.
    Stderr,
    /// The builder itself.
    Builder,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The outcome.
    pub state: Outcome,
    /// How many files were published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// How many bytes the files have together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The phase that ended the build, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What the command of that phase exited with, if it had one that exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The name of the signal that ended the command of that phase, such as `SIGSEGV`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The most memory that the author's commands had at once, in bytes, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Why the build is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// The ways in which a build ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Published.
    Ready,
    /// The build failed; the author can mend it.
    Failed,
    /// Somebody, or the end of the machine, stopped it.
    Canceled,
    /// A time limit ended it.
    TimedOut,
    /// The platform failed; trying again may help.
    PlatformError,
    /// The builder ended without a word.
    Lost,
}

/// An event with a line as it is written. Builds write millions of them, and `flatten` takes its time.
#[derive(Serialize)]
struct FlatLine<'a> {
    seq: u64,
    at: i64,
    kind: &'static str,
    phase: &'a Phase,
    stream: &'a Stream,
    line: &'a u64,
    text: &'a str,
}

impl End {
    /// The end of a build that published `files` files of `bytes` bytes.
    pub fn ready(files: u64, bytes: u64) -> Self {
        Self { files: Some(files), bytes: Some(bytes), ..Self::new(Outcome::Ready) }
    }

    /// The end of a build that did not publish.
    pub fn unsuccessful(state: Outcome, phase: Option<Phase>, failure: Failure) -> Self {
        Self { phase, failure: Some(failure), ..Self::new(state) }
    }

    fn new(state: Outcome) -> Self {
        Self {
            state,
            files: None,
            bytes: None,
            phase: None,
            exit_code: None,
            signal: None,
            peak_memory_bytes: None,
            failure: None,
        }
    }
}

impl Event {
    /// The end of the build, if this event is it.
    pub fn end(&self) -> Option<&End> {
        match &self.body {
            Body::End(end) => Some(end),
            _ => None,
        }
    }

    /// Appends the event as one line of JSON, without a line end.
    pub fn write_json(&self, text: &mut Vec<u8>) {
        let written = match &self.body {
            Body::Log(LogLine { phase, stream, line, text: of_line }) => {
                let (seq, at) = (self.seq, self.at.as_millisecond());
                let flat = FlatLine { seq, at, kind: "log", phase, stream, line, text: of_line };
                serde_json::to_writer(text, &flat)
            }
            _ => serde_json::to_writer(text, self),
        };
        written.expect("an event has only text keys, and memory takes it");
    }

    /// The event as one line of JSON, without a line end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has only text keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureCode;

    fn event(seq: u64, body: Body) -> Event {
        Event { seq, at: Timestamp::from_millisecond(1_795_219_200_123).unwrap(), body }
    }

    #[test]
    fn a_decision_names_its_file_once() {
        let decision = |because: &str, file: Option<&str>| Decision {
            name: "node".to_owned(),
            value: "22".to_owned(),
            because: because.to_owned(),
            file: file.map(str::to_owned),
        };
        assert_eq!(decision("nothing names one", None).to_string(), "node: 22 (nothing names one)");
        assert_eq!(decision("`.nvmrc` says so", Some(".nvmrc")).to_string(), "node: 22 (`.nvmrc` says so)");
        let elsewhere = decision("`.nvmrc` says so", Some("web/.nvmrc")).to_string();
        assert_eq!(elsewhere, "node: 22 (`.nvmrc` says so; `web/.nvmrc`)");
    }

    #[test]
    fn events_read_as_the_architecture_says() {
        let check = |event: Event, json: &str| {
            assert_eq!(event.to_json(), json);
            let mut written = Vec::new();
            event.write_json(&mut written);
            assert_eq!(String::from_utf8(written).unwrap(), json);
            assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event);
        };
        check(
            event(
                12,
                Body::Log(LogLine {
                    phase: Phase::Build,
                    stream: Stream::Stdout,
                    line: 8,
                    text: "✓ 34 modules transformed.".to_owned(),
                }),
            ),
            r#"{"seq":12,"at":1795219200123,"kind":"log","phase":"build","stream":"stdout","line":8,"text":"✓ 34 modules transformed."}"#,
        );
        check(
            event(
                13,
                Body::Phase(PhaseChange {
                    phase: Phase::Build,
                    state: PhaseState::Finished,
                    ms: Some(5123),
                    exit_code: Some(0),
                    summary: None,
                }),
            ),
            r#"{"seq":13,"at":1795219200123,"kind":"phase","phase":"build","state":"finished","ms":5123,"exit_code":0}"#,
        );
        check(
            event(90, Body::End(End::ready(34, 181_223))),
            r#"{"seq":90,"at":1795219200123,"kind":"end","state":"ready","files":34,"bytes":181223}"#,
        );
        check(
            event(
                91,
                Body::End(End::unsuccessful(
                    Outcome::Failed,
                    Some(Phase::Build),
                    Failure::new(FailureCode::BuildExit, "the build command exited with 2"),
                )),
            ),
            r#"{"seq":91,"at":1795219200123,"kind":"end","state":"failed","phase":"build","failure":{"code":"build.exit","cause":"the build command exited with 2"}}"#,
        );
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let json = r#"{"seq":1,"at":0,"kind":"gap","lines":3,"reason":"were dropped","colour":"red"}"#;
        assert!(serde_json::from_str::<Event>(json).is_ok());
    }
}
