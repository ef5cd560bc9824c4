//! Every way a request fails, as a problem of RFC 9457.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gitdeploy_bus::BusError;
use gitdeploy_core::{DeploymentId, ProjectId};
use gitdeploy_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::catalog::CatalogError;
use crate::lend::LendError;
use crate::log::LogError;

/// The media type of a problem.
const MEDIA_TYPE: &str = "application/problem+json";

/// The body of an answer that says what went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which kind of problem it is, as an address: `/problems/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What is wrong with this request, in one sentence.
    pub detail: String,
    /// Which kind of problem it is; programs may rely on it.
    pub code: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// What it was called.
        name: String,
    },
    /// The address leads nowhere.
    #[error("there is nothing at `{0}`")]
    NoRoute(String),
    /// The address knows other methods only.
    #[error("`{0}` cannot be done here")]
    Method(axum::http::Method),
    /// A deployment that is not ready cannot be served.
    #[error("deployment `{0}` is not ready")]
    NotReady(DeploymentId),
    /// A deployment whose files are no longer in the store.
    #[error("the files of deployment `{0}` are gone")]
    Gone(DeploymentId),
    /// The project's host does not lead where the request says.
    #[error("`{project}` leads to {production}")]
    Moved {
        /// The project.
        project: ProjectId,
        /// Its production.
        production: DeploymentId,
    },
    /// There is nothing to go back to.
    #[error("`{0}` has no earlier deployment that is ready")]
    NoPredecessor(ProjectId),
    /// Nobody has said who is asking.
    #[error("this needs a token or a session")]
    Unauthorized,
    /// A builder has no token, or not that of this attempt.
    #[error("this is not the token of this attempt")]
    NoClaim,
    /// Another builder had the token before.
    #[error("another builder has claimed this attempt")]
    ClaimTaken,
    /// A builder asks for something that it needs no more.
    #[error("this attempt has ended or was replaced")]
    ClaimOver,
    /// The request is for a host that is not ours.
    #[error("this service is not `{0}`")]
    ForeignHost(String),
    /// The request was caused by a page that is not ours.
    #[error("the request comes from another site")]
    ForeignOrigin,
    /// The body is of a type that is not known here.
    #[error("the body's type `{0}` is not known here")]
    MediaType(String),
    /// The body is no JSON.
    #[error("the body cannot be read: {0}")]
    Body(String),
    /// Something in the request cannot be used.
    #[error("{detail}")]
    Invalid {
        /// Which kind of problem it is.
        code: &'static str,
        /// What is wrong with it.
        detail: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The upload is too large.
    #[error("the upload has more than {limit} bytes")]
    TooLarge {
        /// How large it may be.
        limit: u64,
    },
    /// The service is about to stop.
    #[error("the service is stopping")]
    Stopping,
    /// Something that the service needs is away.
    #[error("something that this service needs cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault of ours.
    #[error("something went wrong on our side")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// Something in the request that cannot be used.
    pub(crate) fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid { code, detail: detail.into(), hint: None }
    }

    /// The same with what to do about it.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Invalid { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.class().0
    }

    /// What the answer says.
    pub fn problem(&self) -> Problem {
        let (status, code, title) = self.class();
        Problem {
            kind: format!("/problems/{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: code.to_owned(),
            hint: self.advice(),
        }
    }

    fn class(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found", "not found"),
            Self::NoRoute(_) => (StatusCode::NOT_FOUND, "no_route", "not found"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method", "method not allowed"),
            Self::NotReady(_) => (StatusCode::CONFLICT, "deployment.not_ready", "not ready"),
            Self::Gone(_) => (StatusCode::CONFLICT, "deployment.gone", "gone"),
            Self::Moved { .. } => (StatusCode::CONFLICT, "project.moved", "moved meanwhile"),
            Self::NoPredecessor(_) => {
                (StatusCode::CONFLICT, "project.no_predecessor", "nothing to go back to")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "not logged in"),
            Self::NoClaim => (StatusCode::UNAUTHORIZED, "claim.token", "not allowed to claim"),
            Self::ClaimTaken => (StatusCode::FORBIDDEN, "claim.taken", "claimed already"),
            Self::ClaimOver => (StatusCode::CONFLICT, "claim.over", "nothing to claim"),
            Self::ForeignHost(_) => (StatusCode::MISDIRECTED_REQUEST, "foreign_host", "wrong host"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "foreign_origin", "request from another site"),
            Self::MediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", "unknown type of body"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "body", "unreadable body"),
            Self::Invalid { code, .. } => (StatusCode::UNPROCESSABLE_ENTITY, code, "not usable"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "too large"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping", "stopping"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "unavailable"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error"),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Invalid { hint, .. } => hint.clone(),
            Self::Unauthorized => Some(
                "send `Authorization: Bearer <token>`; the token is in the file `token` of the data directory"
                    .to_owned(),
            ),
            Self::NotReady(_) => Some("wait for it, or choose one that is ready".to_owned()),
            Self::Moved { .. } => Some("look again, and name that one".to_owned()),
            Self::Gone(_) => Some("deploy its commit again".to_owned()),
            Self::ForeignHost(_) => Some("name the host in `GITDEPLOY_API_HOSTS` if it is ours".to_owned()),
            Self::MediaType(_) => Some(
                "send `application/json`, or a tar archive as `application/x-tar`, `application/x-tar+gzip` \
                 or `application/x-tar+zstd`"
                    .to_owned(),
            ),
            Self::Unavailable(_) | Self::Stopping => Some("try again".to_owned()),
            _ => None,
        }
    }

    /// Says what is ours to mend, once.
    fn log(&self) {
        match self {
            Self::Internal(error) => tracing::error!(error = chain(&**error), "a request failed"),
            Self::Unavailable(error) => {
                tracing::warn!(error = chain(&**error), "a request could not be done");
            }
            other => tracing::debug!(error = %other, "a request was refused"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let problem = self.problem();
        let mut response = (self.status(), Json(&problem)).into_response();
        // Whoever asks for pages gets it as one.
        response.extensions_mut().insert(problem);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match self {
            Self::Unauthorized | Self::NoClaim => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Unavailable(_) | Self::Stopping => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        if error.is_transient() { Self::Unavailable(error.into()) } else { Self::Internal(error.into()) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<BusError> for ApiError {
    fn from(error: BusError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<LendError> for ApiError {
    fn from(error: LendError) -> Self {
        match error {
            LendError::Catalog(error) => error.into(),
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(_) | LogError::Bus(_) => Self::Unavailable(error.into()),
            LogError::Damaged(_) => Self::Internal(error.into()),
        }
    }
}

/// An error with what it comes from.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
