//! Why the platform did not do what was asked.

use std::path::PathBuf;

use reqwest::{Response, StatusCode};
use upload_service::Problem;
use url::Url;

/// Why the platform did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("there is no token in `{}`: start the platform with `gitdeploy up`, or name its `--data-dir` or its `--api` and `--token`", .0.display())]
    NoToken(PathBuf),
    #[error("`{}` holds no address", .0.display())]
    ApiFile(PathBuf),
    #[error("no platform answers at {api}: {reason}; start it with `gitdeploy up`, or name it with `--api`")]
    Away { api: Url, reason: String },
    #[error("{detail}{}", .hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Refused { status: StatusCode, detail: String, hint: Option<String> },
    #[error("cannot read the archive: {0}")]
    Archive(#[source] std::io::Error),
    #[error("the platform answered with something that is no event: {0}")]
    Event(#[source] serde_json::Error),
}

impl ClientError {
    pub(super) fn away(api: &Url, error: reqwest::Error) -> Self {
        let error = error.without_url();
        // The innermost cause says what happened; the outer ones say that it did.
        let mut reason: &dyn std::error::Error = &error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        Self::Away { api: api.clone(), reason: reason.to_string() }
    }

    pub(super) async fn refused(response: Response) -> Self {
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Self::Refused { status, detail: problem.detail, hint: problem.hint },
            Err(_) => Self::Refused { status, detail: format!("the platform answered {status}"), hint: None },
        }
    }

    /// Whether something else has to be typed.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::NoToken(_) => true,
            Self::Refused { status, .. } => status.is_client_error(),
            _ => false,
        }
    }

    /// Whether asking again may help.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { status, .. } => status.is_server_error(),
            _ => false,
        }
    }
}
