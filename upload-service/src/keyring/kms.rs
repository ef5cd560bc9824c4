//! A key of AWS KMS that never leaves it: each secret is sealed with a key of its own, and that one by KMS.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;

use super::cipher::Cipher;
use super::{KeyringError, head};
use crate::aws::said;

/// How sealed secrets of this kind are marked.
pub(super) const KIND: u8 = 1;

const CONNECT: Duration = Duration::from_secs(5);

/// How long one attempt may take to be answered.
const ANSWER: Duration = Duration::from_secs(10);

/// What the encryption context is called. Policies and the trail of KMS's calls can tell secrets apart by it.
const CONTEXT: &str = "gitdeploy:purpose";

#[derive(Debug, Clone)]
pub(super) struct Kms {
    client: Client,
    key: String,
}

impl Kms {
    /// KMS as `shared` says where it is and who we are.
    pub(super) fn open(key: &str, shared: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ANSWER);
        let config = aws_sdk_kms::config::Builder::from(shared).timeout_config(timeouts.build()).build();
        Self { client: Client::from_conf(config), key: key.to_owned() }
    }

    pub(super) async fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let made = self
            .client
            .generate_data_key()
            .key_id(&self.key)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(CONTEXT, name)
            .send()
            .await
            .map_err(|error| self.failed("make a data key", said(&error)))?;
        let wrapped = made.ciphertext_blob.unwrap_or_else(|| Blob::new([])).into_inner();
        let cipher = made.plaintext.as_ref().and_then(|key| Cipher::new(key.as_ref()));
        let (Some(cipher), Ok(length @ 1..)) = (cipher, u16::try_from(wrapped.len())) else {
            return Err(self.failed("make a data key", "the answer has no key of 256 bits"));
        };
        let mut head = head(KIND);
        head.extend(length.to_be_bytes());
        head.extend(wrapped);
        Ok(cipher.seal(name, secret, head))
    }

    pub(super) async fn open_sealed(&self, name: &str, body: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let not_ours = || KeyringError::NotOurs(name.to_owned());
        let (wrapped, sealed) = split(body).ok_or_else(not_ours)?;
        let opened = self
            .client
            .decrypt()
            .key_id(&self.key)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(CONTEXT, name)
            .send()
            .await;
        let opened = match opened {
            Err(SdkError::ServiceError(error)) if is_not_ours(error.err()) => return Err(not_ours()),
            opened => opened.map_err(|error| self.failed("open a secret", said(&error)))?,
        };
        let cipher = opened.plaintext.as_ref().and_then(|key| Cipher::new(key.as_ref()));
        cipher.and_then(|cipher| cipher.open_sealed(name, sealed)).ok_or_else(not_ours)
    }

    fn failed(&self, doing: &'static str, source: impl Into<String>) -> KeyringError {
        let said: String = source.into();
        KeyringError::Kms { doing, key: self.key.clone(), source: said.into() }
    }
}

/// The data key as KMS has sealed it, and what is sealed with it.
fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

fn is_not_ours(error: &DecryptError) -> bool {
    error.is_invalid_ciphertext_exception() || error.is_incorrect_key_exception()
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_kms::config::Credentials;
    use gitdeploy_test::moto::Moto;

    use super::super::{Keyring, KeyringConfig};
    use super::*;

    /// A keyring with a new key, as the settings make it.
    async fn keyring(shared: &SdkConfig) -> Keyring {
        let made = Client::new(shared).create_key().send().await.unwrap();
        open(made.key_metadata.unwrap().key_id, shared)
    }

    fn open(key: String, shared: &SdkConfig) -> Keyring {
        Keyring::open(&KeyringConfig { kms_key: Some(key) }, "/nowhere".as_ref(), shared).unwrap()
    }

    async fn shared(endpoint: String) -> SdkConfig {
        let keys = Credentials::new("testing", "testing", None, None, "test");
        let config = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint);
        config.region(Region::from_static("us-east-1")).credentials_provider(keys).load().await
    }

    #[tokio::test]
    async fn what_kms_sealed_only_its_key_opens_under_the_same_name() {
        let moto = Moto::start();
        let shared = shared(moto.endpoint()).await;
        let keyring = keyring(&shared).await;
        let sealed = keyring.seal("claims", b"secret").await.unwrap();
        assert_ne!(keyring.seal("claims", b"secret").await.unwrap(), sealed);
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(keyring.open_sealed("claims", &sealed).await.unwrap(), b"secret");

        let refuses = async |name: &str, sealed: &[u8]| {
            let error = keyring.open_sealed(name, sealed).await.unwrap_err();
            assert!(matches!(error, KeyringError::NotOurs(_)), "{error:?}");
        };
        refuses("others", &sealed).await;
        for length in [0, 1, 3, 10, 100, sealed.len() - 1] {
            refuses("claims", &sealed[..length]).await;
        }
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        refuses("claims", &damaged).await;

        let directory = tempfile::tempdir().unwrap();
        let local = Keyring::local(directory.path()).unwrap();
        let error = local.open_sealed("claims", &sealed).await.unwrap_err();
        assert!(matches!(error, KeyringError::NeedsKms(_)), "{error:?}");
        let sealed = local.seal("claims", b"secret").await.unwrap();
        let error = keyring.open_sealed("claims", &sealed).await.unwrap_err();
        assert!(matches!(error, KeyringError::NeedsLocal(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_key_that_is_not_there_is_named() {
        let moto = Moto::start();
        let keyring = open("alias/nothing".to_owned(), &shared(moto.endpoint()).await);
        let error = keyring.seal("claims", b"secret").await.unwrap_err();
        assert_eq!(error.to_string(), "AWS KMS does not make a data key with the key `alias/nothing`");
        assert!(matches!(error, KeyringError::Kms { .. }), "{error:?}");
    }
}
