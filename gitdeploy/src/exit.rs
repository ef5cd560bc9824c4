//! How the command line ends: what it says and with which code.

use std::process::ExitCode;

use build_server::pack::PackError;
use gitdeploy_core::State;
use gitdeploy_runtime::SettingError;

use crate::client::ClientError;
use crate::explain::ExplainError;
use crate::source::SourceError;

/// The build failed.
pub(crate) const FAILED: u8 = 1;
/// What was typed is wrong, as clap says too.
pub(crate) const USAGE: u8 = 2;
/// The platform failed or is not there.
pub(crate) const PLATFORM: u8 = 3;
/// The deployment was canceled.
pub(crate) const CANCELED: u8 = 4;
/// A time limit ended the build.
pub(crate) const TIMED_OUT: u8 = 5;

/// The exit code for the final state of a deployment. `platform` tells a failure of ours from the author's.
pub(crate) fn of_state(state: State, platform: bool) -> u8 {
    match state {
        State::Ready => 0,
        State::Failed if platform => PLATFORM,
        State::Failed => FAILED,
        State::Canceled => CANCELED,
        State::TimedOut => TIMED_OUT,
        State::Lost | State::Queued | State::Starting | State::Building | State::Publishing => PLATFORM,
    }
}

/// The exit code for a result of a command; an error is said on one line of standard error.
pub(crate) fn code(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        anstream::eprintln!("error: {error:#}");
        ExitCode::from(code_of(&error))
    })
}

fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<ExplainError>() {
        return error.code();
    }
    let usage = error.is::<SourceError>()
        || error.is::<SettingError>()
        || error.downcast_ref::<PackError>().is_some_and(|error| !matches!(error, PackError::Io(_)))
        || error.downcast_ref::<ClientError>().is_some_and(ClientError::is_usage);
    if usage { USAGE } else { PLATFORM }
}
