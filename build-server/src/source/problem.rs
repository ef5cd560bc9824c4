//! Why a clone does not succeed: in a way that may pass, or for good; and one sentence for each.

use git2::{ErrorClass, ErrorCode};
use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Failure, FailureCode};
use reqwest::StatusCode;

use super::rules::refused;
use crate::stop::Stop;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Problem {
    /// libgit2 says it.
    Git(git2::Error),
    /// The network or the server fails, which may pass.
    Network(String),
    /// For good.
    Stop(Stop),
}

impl Problem {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Git(error) => plain(error.message()),
            Self::Network(text) => plain(text),
            Self::Stop(stop) => stop.failure.cause.clone(),
        }
    }

    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Git(error) => {
                let network = matches!(error.class(), ErrorClass::Net | ErrorClass::Os | ErrorClass::Ssh);
                let for_good = matches!(
                    error.code(),
                    ErrorCode::Auth | ErrorCode::NotFound | ErrorCode::User | ErrorCode::Certificate
                );
                network && !for_good && !is_about_key(error)
            }
            Self::Network(_) => true,
            Self::Stop(_) => false,
        }
    }

    /// How the build ends with it. `shown` is the address of the repository.
    pub(super) fn into_stop(self, shown: &str) -> Stop {
        match self {
            Self::Stop(stop) => stop,
            Self::Network(text) => unreachable(shown, &text),
            Self::Git(error) => match error.code() {
                ErrorCode::Auth => login_needed(shown),
                ErrorCode::NotFound => not_found(shown),
                _ if says_missing(error.message()) => not_found(shown),
                _ if is_about_key(&error) => key_unusable(&error),
                _ => unreachable(shown, error.message()),
            },
        }
    }
}

impl From<git2::Error> for Problem {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// What a status of HTTP means that is no success. `login` says whether the server was given one.
pub(super) fn status(status: StatusCode, shown: &str, login: bool) -> Problem {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if login => Problem::Stop(login_refused(shown)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Problem::Stop(login_needed(shown)),
        StatusCode::NOT_FOUND | StatusCode::GONE => Problem::Stop(not_found(shown)),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Problem::Network(format!("the server answers {status}"))
        }
        _ if status.is_server_error() => Problem::Network(format!("the server answers {status}")),
        _ => Problem::Stop(refused(
            format!("`{shown}` is no git repository: the server answers {status}"),
            "check the address",
        )),
    }
}

/// What servers of SSH and `git daemon` say, which libgit2 hands on as text.
fn says_missing(text: &str) -> bool {
    let text = text.to_lowercase();
    ["repository not found", "does not exist", "does not appear to be a git repository", "not exported"]
        .iter()
        .any(|missing| text.contains(missing))
}

/// Whether libssh2 cannot read our private key.
fn is_about_key(error: &git2::Error) -> bool {
    error.class() == ErrorClass::Ssh && error.message().contains("private key")
}

fn key_unusable(error: &git2::Error) -> Stop {
    let cause = format!("the key in `GITDEPLOY_GIT_SSH_KEY` cannot be used: {}", error.message());
    let fix = "have the operator set it to a key that `ssh-keygen -t ed25519` makes, without a passphrase";
    Stop::author(Failure::new(FailureCode::CloneAuth, cause).fix(fix))
}

fn unreachable(shown: &str, text: &str) -> Stop {
    Stop::platform(FailureCode::CloneUnreachable, format!("`{shown}` cannot be cloned: {}", plain(text)))
}

/// What somebody else's server says, in one line that moves no cursor.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

/// That an SSH server lets nobody in, or not by what it got.
pub(super) fn no_login(shown: &str, tried: bool) -> Stop {
    if tried { login_refused(shown) } else { login_needed(shown) }
}

fn login_needed(shown: &str) -> Stop {
    let cause = format!("`{shown}` does not exist or needs a login");
    let fix = "check the address; for a private repository, have the operator set `GITDEPLOY_GIT_TOKEN` or \
               `GITDEPLOY_GIT_SSH_KEY` to one that may read it";
    Stop::author(Failure::new(FailureCode::CloneAuth, cause).fix(fix))
}

fn login_refused(shown: &str) -> Stop {
    let cause = format!("`{shown}` does not exist or the login was refused");
    let fix = "check the address, and that the login may read the repository and has not run out";
    Stop::author(Failure::new(FailureCode::CloneAuth, cause).fix(fix))
}

fn not_found(shown: &str) -> Stop {
    let cause = format!("there is no repository at `{shown}`");
    let fix = "check the address; a private repository looks like this without a login";
    Stop::author(Failure::new(FailureCode::CloneNotFound, cause).fix(fix))
}

/// Names what could not be fetched, where that is not the repository itself. Whose fault it is stays as it was.
pub(super) fn of_part(stop: Stop, code: FailureCode, what: &str) -> Stop {
    if matches!(stop.outcome, Outcome::Canceled | Outcome::TimedOut)
        || stop.failure.code == FailureCode::CloneTooLarge
    {
        return stop;
    }
    let cause = format!("{what}: {}", stop.failure.cause);
    Stop { failure: Failure { code, cause, ..stop.failure }, ..stop }
}
