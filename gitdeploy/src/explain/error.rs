//! Why there is no explanation.

use reqwest::StatusCode;

use crate::exit;

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    #[error("`{0}` is no address of a page: one begins with `https://` or `http://` and names a host")]
    NotAnAddress(String),
    #[error("`{0}` is no header: one is written `Name: value`")]
    NotAHeader(String),
    #[error("{host} cannot be asked: {reason}")]
    Unreached { host: String, reason: String },
    #[error("{host} answers {status}, and does not say why: it is not served by the proxy of this platform")]
    NotOurs { host: String, status: StatusCode },
    #[error(
        "{host} answers {status}, and does not say why: a cache in front of the proxy has answered, with a copy that is {age} s old"
    )]
    Cached { host: String, status: StatusCode, age: u64 },
    #[error("{host} answers {status} with an explanation that cannot be read: {reason}")]
    Unreadable { host: String, status: StatusCode, reason: String },
}

impl ExplainError {
    /// The exit code for it.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NotAnAddress(_) | Self::NotAHeader(_) => exit::USAGE,
            _ => exit::FAILED,
        }
    }
}
