//! Writes the files of a commit: all threads at once, into a work tree in which there is no link yet to be led
//! away by.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{Index, IndexEntry, IndexTime, ObjectType, Odb, Oid, Repository};

use super::budget::{Budget, too_large_file};
use super::lfs::Pointer;
use super::tree::{self, Entry, Kind};
use crate::stop::{Stop, disk};

/// More threads than this wait for each other.
const MOST_THREADS: usize = 8;

/// How many files a thread takes at once: neighbours, which are in one folder.
const PORTION: usize = 64;

/// How large one file may be: it is in memory while it is written.
const LARGEST: usize = 512 << 20;

/// Of files that are larger than this only one is in memory.
const LARGE: usize = 16 << 20;
static ONE_LARGE: Mutex<()> = Mutex::new(());

/// What was written.
#[derive(Debug, Default)]
pub(super) struct CheckedOut {
    /// The content of `.gitmodules`.
    pub(super) modules: Option<Vec<u8>>,
    /// The places of submodules, which are empty folders now.
    pub(super) submodules: Vec<Entry>,
    /// Files that stand for others, which are kept in LFS.
    pub(super) pointers: Vec<Pointer>,
}

/// What a thread has written.
#[derive(Default)]
struct Written {
    index: Vec<IndexEntry>,
    pointers: Vec<Pointer>,
    modules: Option<Vec<u8>>,
}

/// Writes the files of `commit` into the empty work tree, and makes it the one that is checked out.
pub(super) fn checkout(repository: &Repository, commit: Oid, budget: &Budget) -> Result<CheckedOut, Stop> {
    let root = repository.workdir().ok_or_else(|| unwritable("it has no work tree"))?;
    let entries = tree::list(repository, commit, budget)?;
    let (mut files, mut links, mut submodules) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match entry.kind {
            Kind::Folder => make_folder(root, &entry)?,
            Kind::File { .. } => files.push(entry),
            Kind::Link => links.push(entry),
            Kind::Commit => {
                make_folder(root, &entry)?;
                submodules.push(entry);
            }
        }
    }
    let mut written = write_files(repository, root, &files, budget)?;
    // The last of all, so that nothing is written through one.
    let odb = repository.odb().map_err(unreadable)?;
    for link in &links {
        let (target, _alone) = read(&odb, link, budget)?;
        let target = Path::new(std::ffi::OsStr::from_bytes(target.data()));
        let path = root.join(link.path());
        std::os::unix::fs::symlink(target, &path).map_err(|error| cannot_write(link, &error))?;
        let metadata = fs::symlink_metadata(&path).map_err(|error| cannot_write(link, &error))?;
        written.index.push(index_entry(link, &metadata));
    }
    for submodule in &submodules {
        let metadata = fs::symlink_metadata(root.join(submodule.path()));
        let metadata = metadata.map_err(|error| cannot_write(submodule, &error))?;
        written.index.push(index_entry(submodule, &metadata));
    }
    write_index(repository, &mut written.index).map_err(unreadable)?;
    repository.set_head_detached(commit).map_err(unreadable)?;
    Ok(CheckedOut { modules: written.modules, submodules, pointers: written.pointers })
}

fn make_folder(root: &Path, entry: &Entry) -> Result<(), Stop> {
    fs::create_dir(root.join(entry.path())).map_err(|error| cannot_write(entry, &error))
}

fn write_files(
    repository: &Repository,
    root: &Path,
    files: &[Entry],
    budget: &Budget,
) -> Result<Written, Stop> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let next = AtomicUsize::new(0);
    let git = repository.path();
    let work = || {
        // libgit2's object database is for one thread at a time.
        let repository = Repository::open(git).map_err(unreadable)?;
        let odb = repository.odb().map_err(unreadable)?;
        let mut written = Written::default();
        loop {
            let start = next.fetch_add(PORTION, Ordering::Relaxed);
            let Some(rest) = files.get(start..).filter(|rest| !rest.is_empty()) else { return Ok(written) };
            budget.go_on()?;
            for file in &rest[..rest.len().min(PORTION)] {
                write_file(&odb, root, file, budget, &mut written)?;
            }
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            let other = other.join().map_err(|_| unwritable("a thread has panicked"))?;
            all = all.and_then(|mut all| {
                let other = other?;
                all.index.extend(other.index);
                all.pointers.extend(other.pointers);
                all.modules = all.modules.or(other.modules);
                Ok(all)
            });
        }
        all
    })
}

fn write_file(
    odb: &Odb<'_>,
    root: &Path,
    file: &Entry,
    budget: &Budget,
    written: &mut Written,
) -> Result<(), Stop> {
    let (object, _alone) = read(odb, file, budget)?;
    let executable = file.kind == Kind::File { executable: true };
    let metadata = create(root, file, executable)
        .and_then(|mut out| {
            out.write_all(object.data())?;
            out.metadata()
        })
        .map_err(|error| cannot_write(file, &error))?;
    written.index.push(index_entry(file, &metadata));
    if let Some(pointer) = Pointer::read(object.data(), file) {
        written.pointers.push(pointer);
    }
    if file.path == b".gitmodules" {
        written.modules = Some(object.data().to_vec());
    }
    Ok(())
}

/// A new file. What is there already is left alone: the tree has the name twice, or the file system knows no case.
fn create(root: &Path, file: &Entry, executable: bool) -> std::io::Result<File> {
    let mode = if executable { 0o777 } else { 0o666 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(root.join(file.path()))
}

/// The content of a file, and for a large one the leave to have it in memory.
fn read<'a>(
    odb: &'a Odb<'_>,
    entry: &Entry,
    budget: &Budget,
) -> Result<(git2::OdbObject<'a>, Option<MutexGuard<'static, ()>>), Stop> {
    let (length, kind) = odb.read_header(entry.id).map_err(unreadable)?;
    if kind != ObjectType::Blob {
        return Err(tree::refuse(&entry.path, "it is no file, though the tree says so"));
    }
    if length > LARGEST {
        return Err(too_large_file(&entry.path().display().to_string(), LARGEST as u64));
    }
    budget.write_bytes(length as u64)?;
    let alone = (length > LARGE).then(|| ONE_LARGE.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((odb.read(entry.id).map_err(unreadable)?, alone))
}

/// The index, by which git knows that the files are those of the commit.
fn write_index(repository: &Repository, entries: &mut [IndexEntry]) -> Result<(), git2::Error> {
    entries.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    // Not the repository's own, which looks each entry up.
    let mut index = Index::open(&repository.path().join("index"))?;
    for entry in entries {
        index.add(entry)?;
    }
    index.write()
}

/// Tells the index that files have been replaced by what they stand for.
pub(super) fn refresh<'a>(
    repository: &Repository,
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<(), Stop> {
    let root = repository.workdir().ok_or_else(|| unwritable("it has no work tree"))?;
    let mut index = Index::open(&repository.path().join("index")).map_err(unreadable)?;
    for entry in entries {
        let metadata = fs::symlink_metadata(root.join(entry.path()));
        let metadata = metadata.map_err(|error| cannot_write(entry, &error))?;
        index.add(&index_entry(entry, &metadata)).map_err(unreadable)?;
    }
    index.write().map_err(unreadable)
}

fn index_entry(entry: &Entry, metadata: &fs::Metadata) -> IndexEntry {
    // The index has 32 bits for each, and git compares only these.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is what git does")]
    let (low, time) = (
        |value: u64| value as u32,
        |seconds: i64, nanoseconds: i64| IndexTime::new(seconds as i32, nanoseconds as u32),
    );
    IndexEntry {
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        dev: low(metadata.dev()),
        ino: low(metadata.ino()),
        mode: entry.mode(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        file_size: if entry.kind == Kind::Commit { 0 } else { low(metadata.len()) },
        id: entry.id,
        flags: 0,
        flags_extended: 0,
        path: entry.path.clone(),
    }
}

fn cannot_write(entry: &Entry, error: &std::io::Error) -> Stop {
    use std::io::ErrorKind::{AlreadyExists, InvalidFilename, NotADirectory};
    match error.kind() {
        AlreadyExists | NotADirectory => tree::refuse(&entry.path, "something else has the same name"),
        InvalidFilename => tree::refuse(&entry.path, "no file can have the name"),
        _ => unwritable(&error.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unreadable(error: git2::Error) -> Stop {
    unwritable(error.message())
}

fn unwritable(why: &str) -> Stop {
    disk("cannot write the files of the commit")(std::io::Error::other(why))
}
