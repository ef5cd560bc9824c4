//! Exit codes, after `sysexits.h` where it has one.

use std::process::ExitCode;

use crate::ready::NotReady;
use crate::settings::SettingError;

/// The process did what it was started for.
pub const SUCCESS: u8 = 0;
/// It failed in a way that has no code of its own.
pub const FAILURE: u8 = 1;
/// The settings or arguments are wrong: trying again without a change is of no use (`EX_USAGE`).
pub const SETTINGS: u8 = 64;
/// What the process needs is not there: trying again may help (`EX_TEMPFAIL`).
pub const UNAVAILABLE: u8 = 75;

/// The exit code for a result of `main`; an error is said on one line of standard error.
pub fn code(result: anyhow::Result<ExitCode>) -> ExitCode {
    code_or(result, FAILURE)
}

/// Like [`code`], with `other` for errors that ask for no code themselves.
pub fn code_or(result: anyhow::Result<ExitCode>, other: u8) -> ExitCode {
    result.unwrap_or_else(|error| {
        say(&error);
        ExitCode::from(code_of(&error).unwrap_or(other))
    })
}

/// The exit code that an error asks for, if it does.
fn code_of(error: &anyhow::Error) -> Option<u8> {
    if error.is::<SettingError>() {
        Some(SETTINGS)
    } else if error.is::<NotReady>() {
        Some(UNAVAILABLE)
    } else {
        None
    }
}

#[expect(clippy::print_stderr, reason = "a process ends with one plain sentence")]
fn say(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_keeps_its_code_under_context() {
        let error = Err::<(), _>(SettingError::new("X", "is wrong")).context("cannot start").unwrap_err();
        assert_eq!(code_of(&error), Some(SETTINGS));
        assert_eq!(code_of(&anyhow::anyhow!("something else")), None);
    }
}
