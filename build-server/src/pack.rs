//! Packs a directory into the archive that a deployment is made from.
//!
//! Of a directory in a repository the tree of the commit that is checked out is packed, whole, so that a
//! project in a monorepo finds its workspace; of any other directory, what lies there.

use std::io::Write;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Repository, StatusOptions, Tree};
use gitdeploy_core::manifest::{self, Origin};

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The repository and the commit, if it was one.
    pub origin: Origin,
    /// The directory within the archive that was asked for; absent: the whole archive.
    pub root: Option<String>,
    /// Whether there are changes that are not in the commit, and so not in the archive.
    pub uncommitted_changes: bool,
}

/// Why a directory cannot be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// There is no such directory.
    #[error("there is no directory `{}`", .0.display())]
    NoDirectory(PathBuf),
    /// It is in a repository in which nothing was ever committed.
    #[error("the repository of `{}` has no commit; commit something, then deploy again", .0.display())]
    NoCommit(PathBuf),
    /// It is in a repository, but the commit does not have it.
    #[error("the commit that is checked out does not have `{}`; commit it, then deploy again", .0.display())]
    NotCommitted(PathBuf),
    /// The repository cannot be read.
    #[error("the repository cannot be read: {}", .0.message())]
    Repository(#[source] git2::Error),
    /// A file cannot be read, or the archive not be written.
    #[error("cannot pack the directory: {0}")]
    Io(#[from] std::io::Error),
}

impl From<git2::Error> for PackError {
    fn from(error: git2::Error) -> Self {
        Self::Repository(error)
    }
}

/// Writes `directory` to `archive` as a tar archive, compressed with zstd. Of a directory in no repository,
/// what tools have installed is left out, and `data`, the data directory of a platform.
pub fn pack_source(directory: &Path, data: &Path, archive: impl Write) -> Result<Packed, PackError> {
    let directory = existing(directory)?;
    let left_out = LeftOut { names: &[".git", "node_modules"], data: data.canonicalize().ok() };
    match Repository::discover(&directory) {
        Ok(repository) if repository.workdir().is_some() => pack_commit(&repository, &directory, archive),
        Ok(_) => pack_files(&directory, &left_out, archive),
        Err(error) if error.code() == ErrorCode::NotFound => pack_files(&directory, &left_out, archive),
        Err(error) => Err(error.into()),
    }
}

/// Writes `directory`, a finished site, to `archive` as it is, but for `data`, the data directory of a platform.
pub fn pack_prebuilt(directory: &Path, data: &Path, archive: impl Write) -> Result<Packed, PackError> {
    let left_out = LeftOut { names: &[".git"], data: data.canonicalize().ok() };
    pack_files(&existing(directory)?, &left_out, archive)
}

/// Where a directory lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The top of what a deployment of the directory has.
    pub(crate) top: PathBuf,
    /// The directory within it; absent: it is the top.
    pub(crate) root: Option<String>,
    /// Whether there are changes that no deployment has, because they are in no commit.
    pub(crate) uncommitted_changes: bool,
}

/// Where `directory` lies: in its repository, if it is in one.
pub(crate) fn place(directory: &Path) -> Result<Place, PackError> {
    let directory = existing(directory)?;
    let repository = match Repository::discover(&directory) {
        Ok(repository) => Some(repository),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let Some((repository, top)) = repository.as_ref().and_then(|found| Some((found, found.workdir()?)))
    else {
        return Ok(Place { top: directory, root: None, uncommitted_changes: false });
    };
    let (top, root) = (top.canonicalize()?, root_in(repository, &directory)?);
    Ok(Place { top, root, uncommitted_changes: has_changes(repository)? })
}

/// The project's directory in what is packed: what was asked for, below the directory that was named.
pub fn root_below(named: Option<String>, asked: Option<&str>) -> Option<String> {
    match (named, asked) {
        (Some(named), Some(asked)) => Some(format!("{named}/{asked}")),
        (named, asked) => named.or(asked.map(str::to_owned)),
    }
}

/// What is no part of a site.
struct LeftOut {
    names: &'static [&'static str],
    /// The data directory, which holds the token and all sites.
    data: Option<PathBuf>,
}

fn existing(directory: &Path) -> Result<PathBuf, PackError> {
    let real = directory.canonicalize().ok().filter(|real| real.is_dir());
    real.ok_or_else(|| PackError::NoDirectory(directory.to_owned()))
}

fn pack_files(directory: &Path, left_out: &LeftOut, archive: impl Write) -> Result<Packed, PackError> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(archive, 0)?);
    tar.follow_symlinks(false);
    append_directory(&mut tar, directory, Path::new(""), left_out)?;
    tar.into_inner()?.finish()?;
    Ok(Packed { origin: Origin::default(), root: None, uncommitted_changes: false })
}

fn append_directory(
    tar: &mut tar::Builder<impl Write>,
    directory: &Path,
    name: &Path,
    left_out: &LeftOut,
) -> std::io::Result<()> {
    let mut entries = directory.read_dir()?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let is_left_out = left_out.names.iter().any(|left_out| entry.file_name() == *left_out)
            || left_out.data.as_ref() == Some(&entry.path());
        if is_left_out {
            continue;
        }
        let name = name.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            tar.append_dir(&name, entry.path())?;
            append_directory(tar, &entry.path(), &name, left_out)?;
        } else if kind.is_file() || kind.is_symlink() {
            tar.append_path_with_name(entry.path(), &name)?;
        }
    }
    Ok(())
}

fn pack_commit(repository: &Repository, directory: &Path, archive: impl Write) -> Result<Packed, PackError> {
    let head = match repository.head() {
        Ok(head) => head,
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
            return Err(PackError::NoCommit(directory.to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let commit = head.peel_to_commit()?;
    let tree = commit.tree()?;
    let root = root_in(repository, directory)?;
    if let Some(root) = &root {
        let entry = tree.get_path(Path::new(root)).ok();
        entry
            .filter(|entry| entry.kind() == Some(ObjectType::Tree))
            .ok_or_else(|| PackError::NotCommitted(directory.to_owned()))?;
    }
    let time = u64::try_from(commit.time().seconds()).unwrap_or(0);
    let mut tar = tar::Builder::new(zstd::Encoder::new(archive, 0)?);
    append_tree(&mut tar, repository, &tree, Path::new(""), time)?;
    tar.into_inner()?.finish()?;
    let remote = repository.find_remote("origin").ok();
    let address = remote.as_ref().and_then(|remote| remote.url().ok());
    Ok(Packed {
        origin: Origin {
            repository: address.and_then(shown),
            reference: head.shorthand().ok().filter(|name| *name != "HEAD").map(str::to_owned),
            commit: Some(commit.id().to_string()),
            message: commit.summary().ok().flatten().map(manifest::summary),
        },
        uncommitted_changes: has_changes(repository)?,
        root,
    })
}

/// The path of `directory` within its repository; absent: it is the repository's top.
fn root_in(repository: &Repository, directory: &Path) -> Result<Option<String>, PackError> {
    let top = repository.workdir().map(Path::canonicalize).transpose()?;
    let root = top.as_deref().and_then(|top| directory.strip_prefix(top).ok());
    match root.map(Path::to_str) {
        Some(Some("")) | None => Ok(None),
        Some(Some(root)) => Ok(Some(root.to_owned())),
        Some(None) => Err(PackError::NotCommitted(directory.to_owned())),
    }
}

fn append_tree(
    tar: &mut tar::Builder<impl Write>,
    repository: &Repository,
    tree: &Tree<'_>,
    directory: &Path,
    time: u64,
) -> Result<(), PackError> {
    use std::os::unix::ffi::OsStrExt as _;
    for entry in tree {
        let name = directory.join(std::ffi::OsStr::from_bytes(entry.name_bytes()));
        let mut header = tar::Header::new_gnu();
        header.set_mtime(time);
        header.set_mode(if entry.filemode() == 0o100_755 { 0o755 } else { 0o644 });
        match entry.kind() {
            Some(ObjectType::Tree) => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                tar.append_data(&mut header, &name, std::io::empty())?;
                let tree = repository.find_tree(entry.id())?;
                append_tree(tar, repository, &tree, &name, time)?;
            }
            Some(ObjectType::Blob) => {
                let blob = repository.find_blob(entry.id())?;
                if entry.filemode() == 0o120_000 {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    let target = Path::new(std::ffi::OsStr::from_bytes(blob.content()));
                    tar.append_link(&mut header, &name, target)?;
                } else {
                    header.set_size(blob.size() as u64);
                    tar.append_data(&mut header, &name, blob.content())?;
                }
            }
            // A submodule: another repository, which is not in this one.
            _ => {}
        }
    }
    Ok(())
}

fn has_changes(repository: &Repository) -> Result<bool, PackError> {
    let mut options = StatusOptions::new();
    options.include_untracked(true).exclude_submodules(true);
    Ok(!repository.statuses(Some(&mut options))?.is_empty())
}

/// An address without a login, if it is one.
fn shown(address: &str) -> Option<String> {
    let mut url = url::Url::parse(address).ok().filter(url::Url::has_host)?;
    url.set_password(None).ok()?;
    if url.scheme() != "ssh" {
        url.set_username("").ok()?;
    }
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    const NO_DATA: &str = "/nowhere/at/all";

    fn git(directory: &Path, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(directory)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn names(archive: &[u8]) -> Vec<String> {
        let mut tar = tar::Archive::new(zstd::Decoder::new(archive).unwrap());
        let entries = tar.entries().unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| !entry.header().entry_type().is_dir());
        files.map(|entry| entry.path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn the_commit_is_packed_and_changes_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path();
        fs::create_dir(top.join("site")).unwrap();
        fs::write(top.join("site/index.html"), "one").unwrap();
        fs::write(top.join("run"), "#!/bin/sh").unwrap();
        git(top, &["init", "-q"]);
        let unborn = pack_source(top, NO_DATA.as_ref(), Vec::new()).unwrap_err();
        assert!(matches!(unborn, PackError::NoCommit(_)), "{unborn}");
        git(top, &["add", "."]);
        git(top, &["commit", "-qm", "Add a page\n\nwith words"]);

        let mut archive = Vec::new();
        let packed = pack_source(&top.join("site"), NO_DATA.as_ref(), &mut archive).unwrap();
        assert_eq!(names(&archive), ["run", "site/index.html"]);
        assert_eq!(packed.root.as_deref(), Some("site"));
        assert_eq!(packed.origin.reference.as_deref(), Some("main"));
        assert_eq!(packed.origin.message.as_deref(), Some("Add a page"));
        assert!(!packed.uncommitted_changes);

        fs::write(top.join("site/new.html"), "two").unwrap();
        let mut archive = Vec::new();
        assert!(pack_source(&top.join("site"), NO_DATA.as_ref(), &mut archive).unwrap().uncommitted_changes);
        assert_eq!(names(&archive), ["run", "site/index.html"]);

        fs::create_dir(top.join("other")).unwrap();
        fs::write(top.join("other/index.html"), "three").unwrap();
        let missing = pack_source(&top.join("other"), NO_DATA.as_ref(), Vec::new()).unwrap_err();
        assert!(matches!(missing, PackError::NotCommitted(_)), "{missing}");
    }

    #[test]
    fn a_directory_in_no_repository_is_packed_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["index.html", "a/b.css", "node_modules/x.js", "data/token", "a/data/x"] {
            let file = directory.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, name).unwrap();
        }
        let data = directory.path().join("data");
        let mut archive = Vec::new();
        let packed = pack_source(directory.path(), &data, &mut archive).unwrap();
        assert_eq!(names(&archive), ["a/b.css", "a/data/x", "index.html"]);
        assert_eq!(packed.origin, Origin::default());

        let mut archive = Vec::new();
        pack_prebuilt(directory.path(), &data, &mut archive).unwrap();
        assert_eq!(names(&archive), ["a/b.css", "a/data/x", "index.html", "node_modules/x.js"]);
    }

    #[test]
    fn a_directory_must_be_there() {
        let error = pack_source(Path::new("/nowhere/at/all"), Path::new("data"), Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "there is no directory `/nowhere/at/all`");
    }

    #[test]
    fn an_origin_is_shown_without_a_login() {
        assert_eq!(shown("https://me:secret@host/r.git").as_deref(), Some("https://host/r.git"));
        assert_eq!(shown("/srv/r.git"), None);
    }
}
