//! Packs directories of a workspace that may hold anything. No link is followed, and nothing is read that is not
//! the build's own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use gitdeploy_core::hash::{Hasher, Sha256};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use tempfile::NamedTempFile;

use super::below;
use super::{CacheError, LIMITS};
use crate::sandbox::Owner;

/// How deep directories may lie in one another.
const DEEPEST: usize = 128;

/// The level of compression: most of what is packed is compressed already.
const LEVEL: i32 = 1;

/// What was packed.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) file: NamedTempFile,
    /// The hash of the archive.
    pub(super) archive: Sha256,
    /// How large it is.
    pub(super) bytes: u64,
    /// How large the files in it are.
    pub(super) content: u64,
}

/// What to do with something that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    LeaveOut,
    /// What it is in is not worth keeping.
    Refuse,
}

/// Says what to do with what is found, by its path within the workspace.
pub(super) type Judge<'a> = &'a dyn Fn(&Path, &Stat) -> Verdict;

/// Packs those of `directories` that there are, into a new file in `target`. There is nothing if all are empty or
/// missing, or if `judge` refuses.
pub(super) fn pack(
    workspace: &Path,
    directories: &[String],
    target: &Path,
    owner: Owner,
    judge: Judge<'_>,
    is_over: &dyn Fn() -> bool,
) -> Result<Option<Packed>, CacheError> {
    let top = below::top(workspace)?;
    let file = NamedTempFile::new_in(target)?;
    let writer = Hashing { to: BufWriter::new(file), hasher: Hasher::default(), bytes: 0 };
    let tar = tar::Builder::new(zstd::Encoder::new(writer, LEVEL)?);
    let mut pack = Pack { tar, judge, is_over, owner: owner.user, bytes: 0, entries: 0, files: 0 };
    for directory in directories {
        if let Some(opened) = below::open(top.as_fd(), directory)? {
            let path = Path::new(directory);
            pack.append(path, &directory_header(), io::empty())?;
            if !pack.directory(&opened, path, 0)? {
                return Ok(None);
            }
        }
    }
    if pack.files == 0 {
        return Ok(None);
    }
    let content = pack.bytes;
    let Hashing { to, hasher, bytes } = pack.tar.into_inner()?.finish()?;
    let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(Some(Packed { file, archive: hasher.finish(), bytes, content }))
}

struct Pack<'a> {
    tar: tar::Builder<zstd::Encoder<'static, Hashing>>,
    judge: Judge<'a>,
    is_over: &'a dyn Fn() -> bool,
    /// Whose files are packed.
    owner: u32,
    bytes: u64,
    entries: u64,
    files: u64,
}

impl Pack<'_> {
    /// Packs what is in a directory; false: it is not worth keeping.
    fn directory(&mut self, directory: &OwnedFd, path: &Path, depth: usize) -> Result<bool, CacheError> {
        if depth > DEEPEST {
            return Err(CacheError::TooLarge);
        }
        for name in self.names(directory)? {
            if (self.is_over)() {
                return Err(CacheError::TooSlow);
            }
            let stat = match rustix::fs::statat(directory, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(io::Error::from(error).into()),
            };
            let path = path.join(OsStr::from_bytes(&name));
            match (self.judge)(&path, &stat) {
                Verdict::Keep if stat.st_uid == self.owner => {}
                Verdict::Keep | Verdict::LeaveOut => continue,
                Verdict::Refuse => return Ok(false),
            }
            let kept = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => self.subdirectory(directory, &name, &path, depth)?,
                FileType::RegularFile => self.file(directory, &name, &path)?,
                FileType::Symlink => self.link(directory, &name, &path)?,
                // Sockets, pipes and devices are of no use to anybody else.
                _ => true,
            };
            if !kept {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The names in a directory, in an order that is always the same.
    fn names(&mut self, directory: &OwnedFd) -> Result<Vec<Vec<u8>>, CacheError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(directory).map_err(io::Error::from)? {
            let entry = entry.map_err(io::Error::from)?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                self.entries += 1;
                if self.entries > LIMITS.entries {
                    return Err(CacheError::TooLarge);
                }
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn subdirectory(
        &mut self,
        directory: &OwnedFd,
        name: &[u8],
        path: &Path,
        depth: usize,
    ) -> Result<bool, CacheError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(io::Error::from)?;
        self.append(path, &directory_header(), io::empty())?;
        self.directory(&opened, path, depth + 1)
    }

    fn file(&mut self, directory: &OwnedFd, name: &[u8], path: &Path) -> Result<bool, CacheError> {
        // What is opened may no longer be what was looked at: a pipe must not make us wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(io::Error::from)?;
        let stat = rustix::fs::fstat(&opened).map_err(io::Error::from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_uid != self.owner {
            return Ok(true);
        }
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > LIMITS.bytes {
            return Err(CacheError::TooLarge);
        }
        self.files += 1;
        let mut header = header(tar::EntryType::Regular, stat.st_mode);
        header.set_size(bytes);
        header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
        let mut content = Exactly { file: File::from(opened), left: bytes };
        self.append(path, &header, &mut content)?;
        Ok(true)
    }

    /// A link that leads out of what the build has is of no use where it is unpacked.
    fn link(&mut self, directory: &OwnedFd, name: &[u8], path: &Path) -> Result<bool, CacheError> {
        let target = rustix::fs::readlinkat(directory, name, Vec::new()).map_err(io::Error::from)?;
        let target = PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes()));
        if below::link_stays(path, &target) {
            self.files += 1;
            let mut header = header(tar::EntryType::Symlink, 0o777);
            self.tar.append_link(&mut header, path, target)?;
        }
        Ok(true)
    }

    fn append(&mut self, path: &Path, header: &tar::Header, content: impl io::Read) -> io::Result<()> {
        self.tar.append_data(&mut header.clone(), path, content)
    }
}

fn directory_header() -> tar::Header {
    header(tar::EntryType::Directory, 0o755)
}

/// A header that says nothing of who owns a file, nor more of its mode than whether it can be run.
fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if mode & 0o100 == 0 { 0o644 } else { 0o755 });
    header.set_size(0);
    header.set_mtime(0);
    header
}

/// As many bytes as a file had when it was looked at. One that has become shorter is an error.
struct Exactly {
    file: File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let read = (&mut self.file).take(self.left).read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            return Err(io::Error::other("a file became shorter while it was packed"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Hashes what is written.
struct Hashing {
    to: BufWriter<NamedTempFile>,
    hasher: Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Keeps everything.
pub(super) fn everything(_: &Path, _: &Stat) -> Verdict {
    Verdict::Keep
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const DIRECTORY: &str = "source/node_modules";

    fn workspace() -> tempfile::TempDir {
        let workspace = tempfile::tempdir().unwrap();
        fs::create_dir_all(workspace.path().join(DIRECTORY).join("b")).unwrap();
        fs::write(workspace.path().join(DIRECTORY).join("b/c"), "content").unwrap();
        workspace
    }

    fn packed(workspace: &Path) -> Result<Option<Packed>, CacheError> {
        let owner = Owner::ours();
        pack(workspace, &[DIRECTORY.to_owned()], workspace, owner, &everything, &|| false)
    }

    fn names(packed: &Packed) -> Vec<String> {
        let file = File::open(packed.file.path()).unwrap();
        let mut tar = tar::Archive::new(zstd::Decoder::new(file).unwrap());
        let entries = tar.entries().unwrap().map(Result::unwrap);
        entries.map(|entry| entry.path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let workspace = workspace();
        let (one, two) =
            (packed(workspace.path()).unwrap().unwrap(), packed(workspace.path()).unwrap().unwrap());
        assert_eq!(one.archive, two.archive);
        let bytes = fs::read(one.file.path()).unwrap();
        assert_eq!((one.bytes, one.content), (bytes.len() as u64, 7));
        assert_eq!(one.archive, Sha256::of(&bytes));
    }

    #[test]
    fn neither_links_out_nor_pipes_and_sockets_are_packed() {
        let workspace = workspace();
        let directory = workspace.path().join(DIRECTORY);
        fs::write(workspace.path().join("secret"), "secret").unwrap();
        symlink("../../secret", directory.join("up")).unwrap();
        symlink("/etc/passwd", directory.join("passwd")).unwrap();
        symlink("b/c", directory.join("inside")).unwrap();
        let pipe = directory.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(directory.join("socket")).unwrap();
        let packed = packed(workspace.path()).unwrap().unwrap();
        let expected = ["", "/b", "/b/c", "/inside"].map(|name| format!("{DIRECTORY}{name}"));
        assert_eq!(names(&packed), expected);
    }

    #[test]
    fn a_directory_that_is_a_link_is_not_packed() {
        for linked in [DIRECTORY, "source"] {
            let (workspace, outside) = (workspace(), tempfile::tempdir().unwrap());
            fs::create_dir(outside.path().join("node_modules")).unwrap();
            fs::write(outside.path().join("node_modules/secret"), "secret").unwrap();
            fs::remove_dir_all(workspace.path().join(linked)).unwrap();
            symlink(outside.path(), workspace.path().join(linked)).unwrap();
            assert!(packed(workspace.path()).unwrap().is_none(), "{linked}");
        }
    }

    #[test]
    fn what_takes_too_long_or_lies_too_deep_is_given_up() {
        let workspace = workspace();
        let owner = Owner::ours();
        let directories = [DIRECTORY.to_owned()];
        let error = pack(workspace.path(), &directories, workspace.path(), owner, &everything, &|| true);
        assert!(matches!(error, Err(CacheError::TooSlow)));
        let deep = workspace.path().join(DIRECTORY).join("d/".repeat(DEEPEST + 2));
        fs::create_dir_all(deep).unwrap();
        assert!(matches!(packed(workspace.path()), Err(CacheError::TooLarge)));
    }

    #[test]
    fn what_somebody_else_owns_is_not_packed() {
        let workspace = workspace();
        let other = Owner { user: Owner::ours().user + 1, group: 0 };
        let directories = [DIRECTORY.to_owned()];
        let packed = pack(workspace.path(), &directories, workspace.path(), other, &everything, &|| false);
        assert!(packed.unwrap().is_none());
    }
}
