//! A key in a file of the data directory.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::cipher::{Cipher, KEY};
use super::{KeyringError, head};

/// How sealed secrets of this kind are marked.
pub(super) const KIND: u8 = 0;

#[derive(Debug, Clone)]
pub(super) struct Local(Arc<Cipher>);

impl Local {
    /// Reads the key, which is made if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, KeyringError> {
        let key = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
            read => read,
        };
        let key = key.map_err(|source| KeyringError::KeyFile { path: path.to_owned(), source })?;
        let cipher = Cipher::new(&key).ok_or_else(|| KeyringError::NoKey(path.to_owned()))?;
        Ok(Self(Arc::new(cipher)))
    }

    pub(super) fn seal(&self, name: &str, secret: &[u8]) -> Vec<u8> {
        self.0.seal(name, secret, head(KIND))
    }

    pub(super) fn open_sealed(&self, name: &str, body: &[u8]) -> Result<Vec<u8>, KeyringError> {
        self.0.open_sealed(name, body).ok_or_else(|| KeyringError::NotOurs(name.to_owned()))
    }
}

/// The file has the whole key or is not there: what half a key has sealed could never be opened.
fn make(path: &Path) -> io::Result<Vec<u8>> {
    let mut key = vec![0; KEY];
    getrandom::fill(&mut key).expect("the system has random numbers");
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => File::open(directory)?.sync_all().map(|()| key),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => fs::read(path),
        Err(error) => Err(error.error),
    }
}
