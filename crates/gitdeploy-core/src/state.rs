//! Where a deployment stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::Outcome;
use crate::phase::Phase;

/// The states of a deployment. A build only moves forward, and the last ones are final. The one step back is
/// no move of a build: when the platform has lost a builder, its deployment waits again, for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for its turn.
    Queued,
    /// A builder was launched and has not been heard of yet.
    Starting,
    /// The builder works.
    Building,
    /// The builder uploads.
    Publishing,
    /// Published, for good.
    Ready,
    /// The build failed, or the platform did; the failure's code tells which.
    Failed,
    /// Stopped on request.
    Canceled,
    /// Ended by a time limit.
    TimedOut,
    /// The builder ended without a word.
    Lost,
}

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state of a deployment")]
pub struct StateError(String);

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Starting,
        Self::Building,
        Self::Publishing,
        Self::Ready,
        Self::Failed,
        Self::Canceled,
        Self::TimedOut,
        Self::Lost,
    ];

    /// Whether a build runs.
    pub fn runs(self) -> bool {
        self != Self::Queued && !self.is_final()
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        self >= Self::Ready
    }

    /// Whether a deployment may go from here to `next`.
    pub fn may_become(self, next: Self) -> bool {
        !self.is_final() && (next.is_final() || self < next)
    }

    /// The state in which a deployment is while its build is in `phase`.
    pub fn during(phase: Phase) -> Self {
        match phase {
            Phase::Boot => Self::Starting,
            Phase::Clone
            | Phase::Plan
            | Phase::Restore
            | Phase::Install
            | Phase::Build
            | Phase::Validate
            | Phase::Process => Self::Building,
            Phase::Upload | Phase::Save => Self::Publishing,
        }
    }

    /// The name that stands in records and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Building => "building",
            Self::Publishing => "publishing",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }
}

impl From<Outcome> for State {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ready => Self::Ready,
            Outcome::Failed | Outcome::PlatformError => Self::Failed,
            Outcome::Canceled => Self::Canceled,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Lost => Self::Lost,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| StateError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_only_moves_forward() {
        for from in State::ALL {
            for to in State::ALL {
                let expected = !from.is_final() && (to.is_final() || from < to);
                assert_eq!(from.may_become(to), expected, "{from} to {to}");
            }
            assert!(!from.may_become(from), "{from} to itself");
        }
        assert!(State::Queued.may_become(State::Canceled));
        assert!(!State::Ready.may_become(State::Lost));
        assert!(!State::Building.may_become(State::Starting));
    }

    #[test]
    fn states_are_stored_as_their_text() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert!("done".parse::<State>().is_err());
    }
}
