//! From what S3 and the SDK say to what a caller can do about it.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::StoreError;

/// How S3 calls keys that have ended.
pub(super) const ENDED: [&str; 2] = ["ExpiredToken", "InvalidToken"];

/// What was being done when it failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing<'a> {
    /// A verb, such as `read`.
    pub(super) what: &'static str,
    /// The key, or the start of keys.
    pub(super) key: &'a str,
    pub(super) bucket: &'a str,
    /// Whether somebody renews our keys.
    pub(super) lent: bool,
}

/// The reason in one sentence. The SDK's own errors are trees that print headers.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);

impl Doing<'_> {
    /// What a failed request means.
    pub(super) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default();
        match (status, code) {
            (_, "NoSuchBucket") => self.denied(Reason(format!(
                "there is no bucket `{}`: make it or correct `GITDEPLOY_STORE_BUCKET`",
                self.bucket
            ))),
            // The upload was ended by somebody, perhaps by our own attempt whose answer was lost.
            (_, "NoSuchUpload") => StoreError::Changed(self.key.to_owned()),
            (Some(304), _) => StoreError::NotModified,
            (Some(404), _) => StoreError::NotFound(self.key.to_owned()),
            (Some(412), _) | (_, "ConditionalRequestConflict") => StoreError::Changed(self.key.to_owned()),
            (Some(416), _) => StoreError::RangeNotSatisfiable,
            (Some(429 | 503), _) | (_, "SlowDown") => self.throttled(reason(error)),
            // Who renews our keys may have newer ones by then. The answer to a HEAD has no body to say that it is so.
            (_, code) if ENDED.contains(&code) => self.unavailable(reason(error)),
            (Some(400), "") if self.lent => self.unavailable(reason(error)),
            (Some(400), "RequestTimeout") | (Some(408 | 409 | 425), _) => self.unavailable(reason(error)),
            (Some(300..=499 | 501), _) => self.denied(reason(error)),
            _ => self.unavailable(reason(error)),
        }
    }

    /// That an answer lacks what every S3 says.
    pub(super) fn incomplete(&self) -> StoreError {
        self.unavailable(Reason("the answer is incomplete".to_owned()))
    }

    /// That the store may do it another time.
    pub(super) fn unavailable(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::unavailable(self.context(), source)
    }

    fn throttled(&self, reason: Reason) -> StoreError {
        StoreError::Throttled { context: self.context(), source: reason.into() }
    }

    fn context(&self) -> String {
        format!("cannot {} `{}` in `{}`", self.what, self.key, self.bucket)
    }

    fn denied(&self, reason: Reason) -> StoreError {
        StoreError::denied(self.key, reason)
    }
}

/// Whether the answer says that no request of ours can ever succeed.
pub(super) fn is_fatal<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    const FATAL: [&str; 8] = [
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "NoSuchBucket",
        "NotSignedUp",
        "PermanentRedirect",
        "SignatureDoesNotMatch",
    ];
    error.code().is_some_and(|code| FATAL.contains(&code))
}

/// The chain of causes, without the repetitions that the SDK's layers make.
pub(super) fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !sentence.contains(&text) {
            sentence = format!("{sentence}: {text}");
        }
        source = cause.source();
    }
    sentence
}

fn reason<E>(error: &SdkError<E, HttpResponse>) -> Reason
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let Some(response) = error.raw_response() else { return Reason(sentence(error)) };
    let said = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!(", {code}: {message}"),
        (Some(code), None) => format!(", {code}"),
        (None, _) => String::new(),
    };
    Reason(format!("it answered {}{said}", response.status().as_u16()))
}
