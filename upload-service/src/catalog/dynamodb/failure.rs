//! From what DynamoDB and the SDK say to what a caller can do about it.

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::catalog::CatalogError;

/// What passes although it is answered with 400.
const PASSING: [&str; 7] = [
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// The reason in one sentence. The SDK's own errors are trees that print headers.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Reason(String);

/// What a failed request means.
pub(super) fn failed<E>(table: &str, error: &SdkError<E, HttpResponse>) -> CatalogError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let table = table.to_owned();
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (status, error.code().unwrap_or_default()) {
        (_, "ResourceNotFoundException") => CatalogError::NoTable(table),
        (Some(400..=499), code) if !PASSING.contains(&code) => {
            CatalogError::Denied { table, source: reason(error) }
        }
        _ => CatalogError::Unreachable { table, source: reason(error) },
    }
}

/// Whether the condition of a write does not hold.
pub(super) fn is_condition<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// That DynamoDB refuses a transaction for what is in it.
pub(super) fn denied(table: &str, why: &str) -> CatalogError {
    let source = Reason(format!("it canceled a transaction: {why}"));
    CatalogError::Denied { table: table.to_owned(), source }
}

/// That others write so much that it cannot be our turn.
pub(super) fn busy(table: &str) -> CatalogError {
    let source = Reason("too many others change the same record".to_owned());
    CatalogError::Unreachable { table: table.to_owned(), source }
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

/// The chain of causes, without the repetitions that the SDK's layers make.
fn sentence(error: &(dyn Error + 'static)) -> String {
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
