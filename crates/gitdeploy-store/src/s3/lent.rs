//! Lent keys as the SDK asks for them.

use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use secrecy::ExposeSecret as _;

use super::failure::ENDED;
use crate::lent::{Keys, LentKeys};

/// Hands the newest keys to the SDK. Keys whose time is over are handed on too: whether they have ended is
/// for the store's clock to say, not for ours.
#[derive(Debug)]
pub(super) struct Lent(pub(super) LentKeys);

/// Lets the SDK try again when the store says that keys have ended: newer ones may be there.
#[derive(Debug)]
pub(super) struct NewerKeys;

impl ProvideCredentials for Lent {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Ok(credentials(&self.0.newest())))
    }
}

impl ClassifyRetry for NewerKeys {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else { return RetryAction::NoActionIndicated };
        let body = response.body().bytes().unwrap_or_default();
        // The answer to a HEAD has no body to say why.
        let ended = match response.status().as_u16() {
            400 if body.is_empty() => true,
            400..=499 => ENDED.iter().any(|code| says(body, code)),
            _ => false,
        };
        if ended { RetryAction::transient_error() } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "newer keys"
    }
}

fn says(body: &[u8], code: &str) -> bool {
    let code = format!("<Code>{code}</Code>");
    body.windows(code.len()).any(|part| part == code.as_bytes())
}

fn credentials(keys: &Keys) -> Credentials {
    Credentials::new(
        &keys.access_key_id,
        keys.secret_access_key.expose_secret(),
        keys.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
        keys.expires.map(Into::into),
        "GitDeploy, lent",
    )
}
