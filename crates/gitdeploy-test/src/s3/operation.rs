//! What a request asks of S3, read from its line and headers.

use http::{Method, Request};

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are named as S3 names them")]
pub enum Operation {
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    DeleteObjects,
    ListObjects,
    HeadBucket,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    Other,
}

impl Operation {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let path = request.uri().path().trim_start_matches('/');
        let on_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
        let has = |name: &str| {
            let query = request.uri().query().unwrap_or_default();
            query.split('&').any(|pair| pair.split('=').next() == Some(name))
        };
        match (request.method(), on_object) {
            (&Method::GET, true) => Self::GetObject,
            (&Method::HEAD, true) => Self::HeadObject,
            (&Method::PUT, true) if has("partNumber") => Self::UploadPart,
            (&Method::PUT, true) if request.headers().contains_key("x-amz-copy-source") => Self::CopyObject,
            (&Method::PUT, true) => Self::PutObject,
            (&Method::DELETE, true) if has("uploadId") => Self::AbortMultipartUpload,
            (&Method::DELETE, true) => Self::DeleteObject,
            (&Method::POST, true) if has("uploads") => Self::CreateMultipartUpload,
            (&Method::POST, true) if has("uploadId") => Self::CompleteMultipartUpload,
            (&Method::POST, false) if has("delete") => Self::DeleteObjects,
            (&Method::GET, false) if has("list-type") || has("prefix") => Self::ListObjects,
            (&Method::HEAD, false) => Self::HeadBucket,
            _ => Self::Other,
        }
    }
}
