//! Events that travel together, and their place among all others.

use std::fmt;
use std::str::FromStr;

use gitdeploy_core::event::{End, Event};
use gitdeploy_core::ids::Attempt;

/// Consecutive events of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The attempt that they belong to.
    pub attempt: Attempt,
    /// The events in the order of their `seq`.
    pub events: Vec<Event>,
}

/// The place of an event. A newer attempt is after every event of an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The attempt.
    pub attempt: Attempt,
    /// The event's `seq` in it.
    pub seq: u64,
}

impl Batch {
    /// The place of the last event, if there is one.
    pub fn last(&self) -> Option<Position> {
        let event = self.events.last()?;
        Some(Position { attempt: self.attempt, seq: event.seq })
    }

    /// The end of the build, if it is in here.
    pub fn end(&self) -> Option<&End> {
        self.events.iter().rev().find_map(Event::end)
    }

    /// The events as lines of JSON, each with its line end.
    pub fn to_ndjson(&self) -> String {
        let mut text = String::new();
        for event in &self.events {
            text.push_str(&event.to_json());
            text.push('\n');
        }
        text
    }

    /// The batch of an attempt from lines of JSON. A line that cannot be read, such as one of a later version,
    /// is passed over and logged.
    pub fn from_ndjson(attempt: Attempt, text: &str) -> Self {
        let read = |line| match serde_json::from_str(line) {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::warn!(%error, "passed over an event that cannot be read");
                None
            }
        };
        Self { attempt, events: text.lines().filter_map(read).collect() }
    }

    /// Without the events up to `position`. Of an older attempt nothing is left.
    pub(crate) fn after(mut self, position: Position) -> Self {
        self.events.retain(|event| Position { attempt: self.attempt, seq: event.seq } > position);
        self
    }
}

/// A text that names no place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place in a log is the number of an event, such as `12`, or `2-12` in a second attempt")]
pub struct PositionError;

/// The number of the event; of any attempt but the first, its number stands before.
impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.attempt > Attempt::FIRST {
            write!(formatter, "{}-", self.attempt)?;
        }
        write!(formatter, "{}", self.seq)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (attempt, seq) = match text.split_once('-') {
            Some((attempt, seq)) => (Attempt(attempt.parse().map_err(|_| PositionError)?), seq),
            None => (Attempt::FIRST, text),
        };
        Ok(Self { attempt, seq: seq.parse().map_err(|_| PositionError)? })
    }
}

impl Default for Position {
    fn default() -> Self {
        Self::START
    }
}

impl Position {
    /// Before the first event of an attempt.
    pub fn start_of(attempt: Attempt) -> Self {
        Self { attempt, seq: 0 }
    }

    /// Before everything.
    pub const START: Self = Self { attempt: Attempt(0), seq: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_as_text() {
        let check = |attempt, seq, text: &str| {
            let position = Position { attempt: Attempt(attempt), seq };
            assert_eq!(position.to_string(), text);
            assert_eq!(text.parse(), Ok(position));
        };
        check(1, 0, "0");
        check(1, 12, "12");
        check(2, 12, "2-12");
        for wrong in ["", "-", "1-", "-1", "x", "1-2-3"] {
            assert_eq!(wrong.parse::<Position>(), Err(PositionError), "{wrong}");
        }
    }
}
