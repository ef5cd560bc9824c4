//! Why a build ended before it was published.

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Failure, FailureCode, Phase};
use gitdeploy_store::StoreError;

/// The end of a build that did not publish: whose fault it is, and what to say about it.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) outcome: Outcome,
    pub(crate) failure: Failure,
    /// What the command of the phase exited with.
    pub(crate) exit_code: Option<i32>,
    /// The name of the signal that ended the command of the phase.
    pub(crate) signal: Option<String>,
    /// The phase in which it happened.
    pub(crate) phase: Option<Phase>,
}

impl Stop {
    /// The author can mend it.
    pub(crate) fn author(failure: Failure) -> Self {
        Self::new(Outcome::Failed, failure)
    }

    /// A time limit was over.
    pub(crate) fn timed_out(failure: Failure) -> Self {
        Self::new(Outcome::TimedOut, failure)
    }

    /// The platform failed; trying again may help.
    pub(crate) fn platform(code: FailureCode, cause: impl Into<String>) -> Self {
        let fix = "try again; if it stays so, tell the operator of this platform";
        let failure = Failure::new(code, cause).fix(fix);
        Self::new(Outcome::PlatformError, failure)
    }

    /// Somebody stopped it.
    pub(crate) fn canceled() -> Self {
        let failure = Failure::new(FailureCode::Canceled, "the build was canceled");
        Self::new(Outcome::Canceled, failure)
    }

    fn new(outcome: Outcome, failure: Failure) -> Self {
        Self { outcome, failure, exit_code: None, signal: None, phase: None }
    }

    pub(crate) fn during(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::platform(FailureCode::StoreUnavailable, error.to_string())
    }
}

/// An operation on our own disk that failed.
pub(crate) fn disk(doing: &str) -> impl FnOnce(std::io::Error) -> Stop {
    move |error| Stop::platform(FailureCode::BuilderFailed, format!("{doing}: {error}"))
}
