//! Writing and removing objects, whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use gitdeploy_core::Key;
use tempfile::NamedTempFile;

use super::lock::Lock;
use super::read::{cannot_exist, open};
use super::{TEMPORARY, cannot, etag, path};
use crate::error::StoreError;
use crate::object::{Content, ETag, Precondition};

/// How often a name is tried whose directory others keep removing.
const TRIES: usize = 100;

/// After how long a temporary file is one that a process left behind when it died.
const LEFT_BEHIND: Duration = Duration::from_hours(24);

pub(super) fn put(
    root: &Path,
    key: &Key,
    content: &Content,
    precondition: &Precondition,
) -> Result<ETag, StoreError> {
    write(root, key, precondition, |file| fill(file, content))
}

fn write(
    root: &Path,
    key: &Key,
    precondition: &Precondition,
    content: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> Result<ETag, StoreError> {
    let Some(target) = path(root, key) else {
        return Err(StoreError::denied(key.as_str(), "the store keeps files of its own there"));
    };
    let mut file = temporary(root).map_err(|error| cannot("write to", &root.join(TEMPORARY), error))?;
    content(&mut file)
        .and_then(|()| file.as_file().set_modified(SystemTime::now()))
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| cannot("write", &target, error))?;
    let etag = etag(&file.as_file().metadata().map_err(|error| cannot("write", &target, error))?);
    name(root, key, &target, file, precondition)?;
    Ok(etag)
}

/// The copy is another name of the same file, which nobody writes to under any of its names. So it takes no room,
/// and its time, and thereby the name of its content, stay the same.
pub(super) fn copy(root: &Path, from: &Key, etag: &ETag, to: &Key) -> Result<ETag, StoreError> {
    let (Some(source), Some(target)) = (path(root, from), path(root, to)) else {
        return Err(StoreError::denied(to.as_str(), "the store keeps files of its own there"));
    };
    let file = match linked(root, &source) {
        Ok(file) => file,
        Err(error) if cannot_exist(&error) => return Err(StoreError::NotFound(from.to_string())),
        // The file system has no such names, or no more of them.
        Err(_) => return copy_bytes(root, from, etag, to),
    };
    // What was linked may be a later file than the one that was meant.
    let metadata = file.as_file().metadata().map_err(|error| cannot("read", &source, error))?;
    if self::etag(&metadata) != *etag {
        return Err(StoreError::Changed(from.to_string()));
    }
    let temporary = file.path().to_owned();
    name(root, to, &target, file, &Precondition::None)?;
    // Renaming one name of a file to another one does nothing, and leaves both (POSIX).
    match fs::remove_file(&temporary) {
        Err(error) if !cannot_exist(&error) => Err(cannot("remove", &temporary, error)),
        _ => Ok(etag.clone()),
    }
}

fn copy_bytes(root: &Path, from: &Key, etag: &ETag, to: &Key) -> Result<ETag, StoreError> {
    let (source, meta) = open(root, from)?;
    if meta.etag != *etag {
        return Err(StoreError::Changed(from.to_string()));
    }
    write(root, to, &Precondition::None, |file| io::copy(&mut &source, file.as_file_mut()).map(drop))
}

pub(super) fn delete(root: &Path, key: &Key) -> Result<(), StoreError> {
    let Some(target) = path(root, key) else { return Ok(()) };
    let _lock = Lock::shared(root).map_err(|error| cannot("lock", root, error))?;
    match fs::remove_file(&target) {
        Ok(()) => {}
        Err(error) if cannot_exist(&error) || error.kind() == io::ErrorKind::IsADirectory => return Ok(()),
        Err(error) => return Err(cannot("remove", &target, error)),
    }
    // A writer whose directory vanishes makes it again, see `name`.
    let emptied = above(root, &target).find(|directory| fs::remove_dir(directory).is_err());
    sync(emptied.unwrap_or(root)).map_err(|error| cannot("remove", &target, error))
}

/// A new file that has no name yet and vanishes unless it gets one.
pub(super) fn temporary(root: &Path) -> io::Result<NamedTempFile> {
    let directory = root.join(TEMPORARY);
    let mut builder = tempfile::Builder::new();
    // Less what the process's umask takes away: the proxy may run as somebody else.
    builder.permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(&directory).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            fs::create_dir_all(&directory)?;
            builder.tempfile_in(&directory)
        }
        _ => Err(error),
    })
}

/// Like [`temporary`], for a file that there is already and that gets another name.
fn linked(root: &Path, source: &Path) -> io::Result<NamedTempFile> {
    let directory = root.join(TEMPORARY);
    fs::create_dir_all(&directory)?;
    tempfile::Builder::new().make_in(&directory, |name| {
        fs::hard_link(source, name)?;
        File::open(name)
    })
}

fn fill(file: &mut NamedTempFile, content: &Content) -> io::Result<()> {
    match content {
        Content::Bytes(bytes) => file.write_all(bytes),
        Content::File(source) => io::copy(&mut File::open(source)?, file.as_file_mut()).map(drop),
    }
}

/// Removes what processes left behind that died while writing.
pub(super) fn remove_leftovers(root: &Path) {
    let Ok(entries) = fs::read_dir(root.join(TEMPORARY)) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > LEFT_BEHIND))
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::debug!(%error, path = %entry.path().display(), "cannot remove a left-over file");
        }
    }
}

fn name(
    root: &Path,
    key: &Key,
    target: &Path,
    mut file: NamedTempFile,
    precondition: &Precondition,
) -> Result<(), StoreError> {
    let lock = match precondition {
        Precondition::Matches(_) => Lock::exclusive(root),
        Precondition::None | Precondition::Absent => Lock::shared(root),
    }
    .map_err(|error| cannot("lock", root, error))?;
    if let Precondition::Matches(etag) = precondition {
        match open(root, key) {
            Ok((_, meta)) if meta.etag == *etag => {}
            Ok(_) | Err(StoreError::NotFound(_)) => return Err(StoreError::Changed(key.to_string())),
            Err(error) => return Err(error),
        }
    }
    let mut made_directories = false;
    for _ in 0..TRIES {
        let named = match precondition {
            Precondition::Absent => file.persist_noclobber(target),
            Precondition::None | Precondition::Matches(_) => file.persist(target),
        };
        let unnamed = match named {
            Ok(_) => {
                drop(lock);
                let depth = if made_directories { usize::MAX } else { 1 };
                return sync_above(root, target, depth).map_err(|error| cannot("write", target, error));
            }
            Err(unnamed) if unnamed.error.kind() == io::ErrorKind::NotFound => unnamed,
            Err(unnamed) => return Err(refusal(key, target, unnamed.error)),
        };
        file = unnamed.file;
        made_directories = true;
        match fs::create_dir_all(target.parent().unwrap_or(root)) {
            // Others make and remove the same directories; or a file is in the way, which naming finds.
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
                return Err(refusal(key, target, error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Err(cannot("write", target, io::Error::other("its directory keeps vanishing")))
}

fn refusal(key: &Key, target: &Path, error: io::Error) -> StoreError {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory};
    match error.kind() {
        AlreadyExists | IsADirectory if target.is_dir() => {
            StoreError::denied(key.as_str(), "there are objects below it, so it cannot be one in a directory")
        }
        AlreadyExists => StoreError::Changed(key.to_string()),
        NotADirectory => {
            StoreError::denied(key.as_str(), "a part of it is an object itself, so it cannot be a directory")
        }
        InvalidFilename => StoreError::denied(key.as_str(), "the file system has no names that long"),
        _ => cannot("write", target, error),
    }
}

/// The directories between a file and the root, from the inside out.
fn above<'a>(root: &'a Path, target: &'a Path) -> impl Iterator<Item = &'a Path> {
    target.ancestors().skip(1).take_while(move |directory| *directory != root)
}

/// Makes names durable: in the directory of a file and, up to `depth`, in those above it.
fn sync_above(root: &Path, target: &Path, depth: usize) -> io::Result<()> {
    above(root, target).chain([root]).take(depth).try_for_each(sync)
}

fn sync(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Somebody has removed the last object in it meanwhile.
        Err(error) if cannot_exist(&error) => Ok(()),
        result => result,
    }
}
