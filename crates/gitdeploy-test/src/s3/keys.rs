//! Who may do what: the built-in keys everything, others what their policies allow.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use http::header;
use percent_encoding::percent_decode_str;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials, S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::call::query;
use super::operation::Operation;
use super::{ACCESS_KEY, SECRET_KEY};
use crate::iam::{Policy, Request, allows};

/// Keys by which somebody signs requests.
#[derive(Clone)]
pub struct Keys {
    /// The public part.
    pub access_key_id: String,
    /// The secret part.
    pub secret: String,
    /// What temporary keys come with; requests have to carry it.
    pub session_token: Option<String>,
    /// When the keys are worth nothing any more.
    pub expires: Option<SystemTime>,
}

/// How far the authority of keys reaches.
#[derive(Debug, Clone)]
pub struct Authority {
    /// What their role may do.
    pub role: Policy,
    /// What the session may do of that; absent: all of it.
    pub session: Option<Policy>,
    /// The tags of the session: `${aws:PrincipalTag/…}` in both policies.
    pub tags: Vec<(String, String)>,
}

/// All keys but the built-in ones.
#[derive(Debug, Default)]
pub(crate) struct KeyRing(Mutex<HashMap<String, (Keys, Authority)>>);

/// [`KeyRing`] for the protocol.
#[derive(Debug)]
pub(super) struct Ringed(pub(super) Arc<KeyRing>);

impl KeyRing {
    pub(crate) fn admit(&self, keys: Keys, authority: Authority) {
        let id = keys.access_key_id.clone();
        self.0.lock().expect("no panic while locked").insert(id, (keys, authority));
    }

    /// The error for an object that is not there: without the right to list nobody learns that.
    pub(super) fn missing(&self, who: Option<&Credentials>, bucket: &str, error: S3Error) -> S3Error {
        // A condition on `s3:prefix` is not met: reading an object has no prefix.
        self.check(who, Request::new("s3:ListBucket", bucket_arn(bucket))).err().unwrap_or(error)
    }

    pub(super) fn may_delete(&self, who: Option<&Credentials>, bucket: &str, key: &str) -> S3Result<()> {
        self.check(who, Request::new("s3:DeleteObject", object_arn(bucket, key)))
    }

    fn check(&self, who: Option<&Credentials>, mut request: Request) -> S3Result<()> {
        let who = who.ok_or_else(|| s3_error!(AccessDenied))?.access_key.as_str();
        if who == ACCESS_KEY {
            return Ok(());
        }
        let ring = self.0.lock().expect("no panic while locked");
        let (_, authority) = ring.get(who).ok_or_else(unknown)?;
        for (name, value) in &authority.tags {
            request.context.add(&format!("aws:PrincipalTag/{name}"), value);
        }
        if allows([Some(&authority.role), authority.session.as_ref()].into_iter().flatten(), &request) {
            return Ok(());
        }
        let (action, resource) = (&request.action, &request.resource);
        let message =
            format!("User: {who} is not authorized to perform: {action} on resource: \"{resource}\"");
        Err(S3Error::with_message(S3ErrorCode::AccessDenied, message))
    }

    fn check_token(&self, who: &str, token: Option<&str>) -> S3Result<()> {
        if who == ACCESS_KEY {
            return Ok(());
        }
        let ring = self.0.lock().expect("no panic while locked");
        let (keys, _) = ring.get(who).ok_or_else(unknown)?;
        match (keys.session_token.as_deref(), token) {
            (expected, given) if expected == given => {}
            // Without their token, temporary keys are not known.
            (Some(_), None) => return Err(unknown()),
            _ => {
                return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
            }
        }
        match keys.expires {
            Some(expires) if expires <= SystemTime::now() => {
                Err(s3_error!(ExpiredToken, "The provided token has expired."))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl S3Auth for Ringed {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY {
            return Ok(SECRET_KEY.into());
        }
        let ring = self.0.0.lock().expect("no panic while locked");
        ring.get(access_key).map(|(keys, _)| keys.secret.as_str().into()).ok_or_else(unknown)
    }
}

#[async_trait::async_trait]
impl S3Access for Ringed {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let who = context.credentials().ok_or_else(|| s3_error!(AccessDenied))?;
        let (uri, headers) = (context.uri(), context.headers());
        let in_header = headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
        let token = in_header.map(str::to_owned).or_else(|| query(uri, "X-Amz-Security-Token"));
        self.0.check_token(&who.access_key, token.as_deref())?;

        let operation = Operation::of(context.method(), uri, headers);
        let mut request = match context.s3_path() {
            S3Path::Object { bucket, key } => Request::new(operation.action(), object_arn(bucket, key)),
            S3Path::Bucket { bucket } => Request::new(operation.action(), bucket_arn(bucket)),
            S3Path::Root => Request::new(operation.action(), "*"),
        };
        match operation {
            // Decided key by key, when the body is read.
            Operation::DeleteObjects => return Ok(()),
            Operation::CopyObject => self.0.check(Some(who), source(context)?)?,
            Operation::ListObjects => {
                for (parameter, key) in
                    [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")]
                {
                    if let Some(value) = query(uri, parameter) {
                        request.context.add(key, value);
                    }
                }
            }
            _ => {}
        }
        if request.action == "s3:PutObject" {
            let creates = !matches!(operation, Operation::CreateMultipartUpload | Operation::UploadPart);
            request.context.add("s3:ObjectCreationOperation", creates.to_string());
            for (header, key) in
                [(header::IF_MATCH, "s3:if-match"), (header::IF_NONE_MATCH, "s3:if-none-match")]
            {
                if let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) {
                    request.context.add(key, value);
                }
            }
        }
        self.0.check(Some(who), request)
    }
}

/// Reading what is to be copied.
fn source(context: &S3AccessContext<'_>) -> S3Result<Request> {
    let source = context.headers().get("x-amz-copy-source").and_then(|source| source.to_str().ok());
    let source = source.unwrap_or_default().split('?').next().unwrap_or_default().trim_start_matches('/');
    let source = percent_decode_str(source).decode_utf8_lossy();
    let (bucket, key) = source.split_once('/').ok_or_else(|| s3_error!(InvalidArgument))?;
    Ok(Request::new("s3:GetObject", object_arn(bucket, key)))
}

fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

fn unknown() -> S3Error {
    s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
