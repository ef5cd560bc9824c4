//! Seals small secrets, so that whoever reads the catalog, or a copy of it, does not have them.

mod cipher;
mod kms;
mod local;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use serde::Deserialize;

/// What a sealed secret starts with: the version of its form.
const VERSION: u8 = 1;

/// The settings of the keyring; they are among `GITDEPLOY_CATALOG_*`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct KeyringConfig {
    /// The id, alias or ARN of a key of AWS KMS; absent: a key in the data directory.
    pub kms_key: Option<String>,
}

/// Seals and opens secrets. Clones do it with the same key.
#[derive(Debug, Clone)]
pub struct Keyring(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Local(local::Local),
    Kms(kms::Kms),
}

/// Why a secret was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The file of the key cannot be read or made.
    #[error("the key `{}` cannot be read or made: {source}", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file of the key has something else in it.
    #[error("`{}` is no key of 256 bits: put the right one back, for what it has sealed cannot be opened without it", .0.display())]
    NoKey(PathBuf),
    /// It was sealed for another name or with another key, or changed since.
    #[error("the secret `{0}` cannot be opened: it was sealed with another key, or is damaged")]
    NotOurs(String),
    /// It was sealed by a later version.
    #[error("the secret `{0}` was sealed by a later version of GitDeploy: use that version")]
    TooNew(String),
    /// It was sealed with AWS KMS, and there is none.
    #[error(
        "the secret `{0}` was sealed with AWS KMS: set `GITDEPLOY_CATALOG_KMS_KEY` to the key that did it"
    )]
    NeedsKms(String),
    /// It was sealed with the key of a data directory, and we have one of KMS.
    #[error(
        "the secret `{0}` was sealed with the key in a data directory: remove `GITDEPLOY_CATALOG_KMS_KEY`, or the secret"
    )]
    NeedsLocal(String),
    /// KMS refuses or cannot be reached.
    #[error("AWS KMS does not {doing} with the key `{key}`")]
    Kms {
        /// What it was asked to do, such as `open a secret`.
        doing: &'static str,
        /// Which key.
        key: String,
        /// What it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Keyring {
    /// The keyring that the settings select. The key in the data directory is made if it is not there; of KMS,
    /// which is where `shared` says, nothing is asked yet.
    pub fn open(
        config: &KeyringConfig,
        data_directory: &Path,
        shared: &SdkConfig,
    ) -> Result<Self, KeyringError> {
        match &config.kms_key {
            Some(key) => Ok(Self(Backend::Kms(kms::Kms::open(key, shared)))),
            None => Self::local(data_directory),
        }
    }

    /// One whose key is in the data directory.
    pub fn local(data_directory: &Path) -> Result<Self, KeyringError> {
        Ok(Self(Backend::Local(local::Local::open(&data_directory.join("key"))?)))
    }

    /// Seals a secret. It can be opened under the same name only.
    pub async fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, KeyringError> {
        match &self.0 {
            Backend::Local(local) => Ok(local.seal(name, secret)),
            Backend::Kms(kms) => kms.seal(name, secret).await,
        }
    }

    /// Opens what was sealed under this name.
    pub async fn open_sealed(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let (&[version, kind], body) =
            sealed.split_first_chunk().ok_or_else(|| KeyringError::NotOurs(name.to_owned()))?;
        match version.cmp(&VERSION) {
            Ordering::Equal => {}
            Ordering::Greater => return Err(KeyringError::TooNew(name.to_owned())),
            Ordering::Less => return Err(KeyringError::NotOurs(name.to_owned())),
        }
        match (&self.0, kind) {
            (Backend::Local(local), local::KIND) => local.open_sealed(name, body),
            (Backend::Kms(kms), kms::KIND) => kms.open_sealed(name, body).await,
            (Backend::Local(_), kms::KIND) => Err(KeyringError::NeedsKms(name.to_owned())),
            (Backend::Kms(_), local::KIND) => Err(KeyringError::NeedsLocal(name.to_owned())),
            _ => Err(KeyringError::NotOurs(name.to_owned())),
        }
    }
}

/// What a sealed secret of this kind begins with.
fn head(kind: u8) -> Vec<u8> {
    vec![VERSION, kind]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> (tempfile::TempDir, Keyring) {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::local(directory.path()).unwrap();
        (directory, keyring)
    }

    #[tokio::test]
    async fn what_was_sealed_is_opened_under_its_name_only() {
        let (directory, keyring) = local();
        let sealed = keyring.seal("claims", b"secret").await.unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert_ne!(keyring.seal("claims", b"secret").await.unwrap(), sealed);
        let again = Keyring::local(directory.path()).unwrap();
        assert_eq!(again.open_sealed("claims", &sealed).await.unwrap(), b"secret");
        let error = again.open_sealed("others", &sealed).await.unwrap_err();
        assert!(matches!(error, KeyringError::NotOurs(_)), "{error}");
        let (_other, keyring) = local();
        let error = keyring.open_sealed("claims", &sealed).await.unwrap_err();
        assert!(error.to_string().contains("another key"), "{error}");
    }

    #[tokio::test]
    async fn nothing_that_was_changed_is_opened() {
        let (_directory, keyring) = local();
        let sealed = keyring.seal("claims", b"secret").await.unwrap();
        for length in 0..sealed.len() {
            keyring.open_sealed("claims", &sealed[..length]).await.unwrap_err();
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            keyring.open_sealed("claims", &damaged).await.unwrap_err();
        }
        let error = keyring.open_sealed("claims", &[2, 0, 0]).await.unwrap_err();
        assert!(matches!(error, KeyringError::TooNew(_)), "{error}");
        let error = keyring.open_sealed("claims", &[1, kms::KIND, 0]).await.unwrap_err();
        assert!(matches!(error, KeyringError::NeedsKms(_)), "{error}");
    }

    #[test]
    fn the_key_is_its_owners_and_no_other_file_is_taken_for_one() {
        use std::os::unix::fs::PermissionsExt as _;
        let (directory, _keyring) = local();
        let path = directory.path().join("key");
        let made = std::fs::read(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        Keyring::local(directory.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), made, "it is made once");
        std::fs::write(&path, "half a key").unwrap();
        let error = Keyring::local(directory.path()).unwrap_err();
        assert!(matches!(error, KeyringError::NoKey(_)), "{error}");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = Keyring::local(directory.path()).unwrap_err();
        assert!(matches!(error, KeyringError::KeyFile { .. }), "{error}");
    }
}
