//! What is to be deployed: a repository somewhere, or a directory here.

use std::path::PathBuf;

use gitdeploy_core::ProjectId;

/// What was named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A repository that the builder clones.
    Git(String),
    /// A directory that is packed and sent.
    Directory(PathBuf),
    /// A finished site that is packed and sent.
    Prebuilt(PathBuf),
}

/// Why something cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(
        "`{0}` is neither a directory nor the address of a repository, such as `https://host/owner/name`"
    )]
    Neither(String),
    #[error("there is no directory `{}`", .0.display())]
    NoDirectory(PathBuf),
    #[error("`--ref` goes with a git URL: of a directory the commit that is checked out is deployed")]
    ReferenceOfDirectory,
    #[error("nothing in the name of `{}` makes a project's name: give one with `--project NAME`", .0.display())]
    NoName(PathBuf),
}

impl Source {
    /// What `text` names. A directory that exists comes first; `file:` addresses are directories too.
    pub(crate) fn parse(text: &str) -> Result<Self, SourceError> {
        let local = text.strip_prefix("file://").unwrap_or(text);
        let path = PathBuf::from(local);
        if path.is_dir() {
            return Ok(Self::Directory(path));
        }
        let is_address = text.contains("://") || is_scp(text);
        match is_address && local == text {
            true => Ok(Self::Git(text.to_owned())),
            false if text.starts_with(['.', '/', '~']) || local != text => {
                Err(SourceError::NoDirectory(path))
            }
            false => Err(SourceError::Neither(text.to_owned())),
        }
    }

    /// A finished site.
    pub(crate) fn prebuilt(path: PathBuf) -> Result<Self, SourceError> {
        if path.is_dir() { Ok(Self::Prebuilt(path)) } else { Err(SourceError::NoDirectory(path)) }
    }

    /// What the project of a directory is called when nobody says.
    pub(crate) fn project(path: &std::path::Path) -> Result<ProjectId, SourceError> {
        let real = path.canonicalize().map_err(|_| SourceError::NoDirectory(path.to_owned()))?;
        let name = real.file_name().and_then(|name| ProjectId::from_text(&name.to_string_lossy()));
        name.ok_or_else(|| SourceError::NoName(path.to_owned()))
    }
}

/// `user@host:path`.
fn is_scp(text: &str) -> bool {
    let Some((host, path)) = text.split_once(':') else { return false };
    host.split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('/'))
        && !path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_addresses_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        assert_eq!(Source::parse(path).unwrap(), Source::Directory(path.into()));
        assert_eq!(Source::parse(&format!("file://{path}")).unwrap(), Source::Directory(path.into()));
        for address in ["https://host/o/r", "git@host:o/r.git", "ssh://git@host/o/r", "http://127.0.0.1:1/x"]
        {
            assert_eq!(Source::parse(address).unwrap(), Source::Git(address.to_owned()));
        }
        for wrong in ["nowhere", "./nowhere", "/nowhere/at/all", "file:///nowhere", ""] {
            assert!(Source::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_directory_names_its_project() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path().join("My Site");
        std::fs::create_dir(&site).unwrap();
        assert_eq!(Source::project(&site).unwrap().as_str(), "my-site");
        assert!(Source::project(std::path::Path::new("/")).is_err());
    }
}
