//! What a request asks of S3, read from its line and headers.

use http::{HeaderMap, Method, Uri};

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
    /// The action that a policy has to allow for it. Several requests of an upload are one action.
    pub fn action(self) -> &'static str {
        match self {
            Self::GetObject | Self::HeadObject => "s3:GetObject",
            Self::PutObject
            | Self::CopyObject
            | Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload => "s3:PutObject",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::DeleteObject | Self::DeleteObjects => "s3:DeleteObject",
            Self::ListObjects | Self::HeadBucket => "s3:ListBucket",
            Self::Other => "s3:Other",
        }
    }

    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = uri.path().trim_start_matches('/');
        let on_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
        let has = |name: &str| {
            let query = uri.query().unwrap_or_default();
            query.split('&').any(|pair| pair.split('=').next() == Some(name))
        };
        match (method, on_object) {
            (&Method::GET, true) => Self::GetObject,
            (&Method::HEAD, true) => Self::HeadObject,
            (&Method::PUT, true) if has("partNumber") => Self::UploadPart,
            (&Method::PUT, true) if headers.contains_key("x-amz-copy-source") => Self::CopyObject,
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
