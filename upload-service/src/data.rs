//! The data directory: made, proved writable and held by one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::catalog::CatalogError;
use crate::lend::LendError;

/// Why the control plane cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error("cannot write in the data directory `{}`: {source}", .directory.display())]
    DataDirectory {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process holds the data directory.
    #[error("the data directory `{}` is in use by another process: stop that one, or choose another directory", .0.display())]
    InUse(PathBuf),
    /// The token's file has no usable token.
    #[error("`{}` holds no token: remove it to have a new one made", .0.display())]
    Token(PathBuf),
    /// The catalog cannot be opened.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Builders cannot be lent what they need.
    #[error(transparent)]
    Lend(#[from] LendError),
}

/// Makes the data directory if needed and proves that it can be written in, without taking it.
pub fn check_data_directory(path: &Path) -> Result<(), OpenError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| tempfile::tempfile_in(path).map(drop))
        .map_err(|source| OpenError::DataDirectory { directory: path.to_owned(), source })
}

/// A directory that this process holds for as long as the value lives.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    lock: File,
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        // Closing the file would not do: a process that is just being started shares it until it is.
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "the data directory is not let go of");
        }
    }
}

impl DataDirectory {
    /// Makes the directory if needed, and takes it for this process.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let cannot = |source| OpenError::DataDirectory { directory: path.to_owned(), source };
        check_data_directory(path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(cannot(source)),
        }
        let directory = Self { path: path.to_owned(), lock };
        directory.clear_uploads().map_err(cannot)?;
        Ok(directory)
    }

    /// Where the catalog is.
    pub(crate) fn catalog(&self) -> PathBuf {
        self.path.join("catalog.sqlite3")
    }

    /// Where uploads lie until they are in the store.
    pub(crate) fn uploads(&self) -> PathBuf {
        self.path.join("uploads")
    }

    /// The text of the token's file, which is made with `fresh` if it is not there.
    pub(crate) fn token(&self, fresh: impl FnOnce() -> String) -> Result<String, OpenError> {
        let path = self.path.join("token");
        let cannot = |source| OpenError::DataDirectory { directory: self.path.clone(), source };
        let mut token = String::new();
        match OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                token = fresh();
                file.write_all(format!("{token}\n").as_bytes()).map_err(cannot)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                File::open(&path).and_then(|mut file| file.read_to_string(&mut token)).map_err(cannot)?;
            }
            Err(error) => return Err(cannot(error)),
        }
        match token.trim() {
            "" => Err(OpenError::Token(path)),
            token => Ok(token.to_owned()),
        }
    }

    /// What a process that died left behind is of no use to anybody.
    fn clear_uploads(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.uploads()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir(self.uploads())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_process_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let held = DataDirectory::open(directory.path()).unwrap();
        let error = DataDirectory::open(directory.path()).unwrap_err();
        assert!(error.to_string().contains("is in use by another process"), "{error}");
        drop(held);
        DataDirectory::open(directory.path()).unwrap();
    }

    #[test]
    fn a_directory_is_proved_writable_without_being_taken() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("data");
        check_data_directory(&path).unwrap();
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
        let _held = DataDirectory::open(&path).unwrap();
        check_data_directory(&path).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDirectory::open(&file.path().join("below")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write in the data directory `/"), "{error}");
    }

    #[test]
    fn the_token_is_made_once_and_only_its_owner_reads_it() {
        let temporary = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(temporary.path()).unwrap();
        assert_eq!(data.token(|| "first".to_owned()).unwrap(), "first");
        assert_eq!(data.token(|| "second".to_owned()).unwrap(), "first");
        let mode = temporary.path().join("token").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(temporary.path().join("token"), "\n").unwrap();
        assert!(data.token(String::new).unwrap_err().to_string().ends_with("have a new one made"));
    }

    #[test]
    fn uploads_of_a_process_that_died_are_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(temporary.path()).unwrap();
        std::fs::write(data.uploads().join("half"), "x").unwrap();
        drop(data);
        let data = DataDirectory::open(temporary.path()).unwrap();
        assert_eq!(std::fs::read_dir(data.uploads()).unwrap().count(), 0);
    }
}
