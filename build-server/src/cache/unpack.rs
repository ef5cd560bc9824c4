//! Unpacks what an earlier build has kept, beside where it belongs, so that none of it is used if any of it is not
//! as it should be.

use std::fs::File;
use std::io;
use std::path::{Component, Path};

use tar::EntryType;
use tempfile::TempDir;

use super::below;
use super::{CacheError, LIMITS};
use crate::archive::{self, Entry};
use crate::sandbox::Owner;

/// Directories that are unpacked and not yet in their places.
#[derive(Debug)]
pub(super) struct Staged {
    directory: TempDir,
    /// How large the files are together.
    pub(super) content: u64,
}

impl Staged {
    /// Unpacks an archive into a new directory in `beside`. It may hold nothing but `directories`.
    pub(super) fn unpack(
        archive: File,
        directories: &[String],
        beside: &Path,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Self, CacheError> {
        let directory = TempDir::new_in(beside)?;
        archive::unpack(archive, directory.path(), LIMITS, |entry| {
            if is_over() {
                return Err("it takes too long to unpack".to_owned());
            }
            check(entry, directories)
        })?;
        let content = size(directory.path())?;
        Ok(Self { directory, content })
    }

    /// Moves each of `directories` to its place in the workspace, and returns those that have a place no longer.
    pub(super) fn place(
        &self,
        workspace: &Path,
        directories: &[String],
        owner: Owner,
    ) -> io::Result<Vec<String>> {
        use std::os::fd::AsFd as _;
        let top = below::top(workspace)?;
        let mut occupied = Vec::new();
        for directory in directories {
            let staged = self.directory.path();
            if !staged.join(directory).is_dir() {
                continue;
            }
            owner.give(&staged.join(directory))?;
            if !below::place(top.as_fd(), staged, directory, owner)? {
                occupied.push(directory.clone());
            }
        }
        Ok(occupied)
    }
}

fn check(entry: &Entry<'_>, directories: &[String]) -> Result<(), String> {
    let name = entry.path.display();
    let is_plain = entry.path.components().all(|component| matches!(component, Component::Normal(_)));
    if !is_plain || !directories.iter().any(|directory| entry.path.starts_with(directory)) {
        return Err(format!("`{name}` is in none of the directories that are kept"));
    }
    match (entry.kind, entry.link) {
        (EntryType::Regular | EntryType::Directory, _) => Ok(()),
        (EntryType::Symlink, Some(link)) if below::link_stays(entry.path, link) => Ok(()),
        _ => Err(format!("the link `{name}` leads out of what is kept")),
    }
}

fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in directory.read_dir()? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { size(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;
    use std::os::unix::fs::symlink;

    use super::*;

    type Poison = fn(&mut Tar);
    type Tar = tar::Builder<zstd::Encoder<'static, File>>;

    const DIRECTORY: &str = "source/node_modules";

    fn archive(build: impl FnOnce(&mut Tar)) -> File {
        let mut tar = tar::Builder::new(zstd::Encoder::new(tempfile::tempfile().unwrap(), 0).unwrap());
        build(&mut tar);
        let mut file = tar.into_inner().unwrap().finish().unwrap();
        file.rewind().unwrap();
        file
    }

    /// An entry as only somebody hostile writes it.
    fn append(tar: &mut Tar, kind: EntryType, name: &str, link: &str, bytes: u64) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes);
        header.set_mode(0o6777);
        (header.as_gnu_mut().unwrap()).name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        tar.append(&header, io::Read::take(io::repeat(b'x'), bytes.min(1 << 20))).unwrap();
    }

    fn unpacked(file: File) -> Result<Staged, CacheError> {
        let beside = tempfile::tempdir().unwrap();
        Staged::unpack(file, &[DIRECTORY.to_owned()], beside.path(), &|| false).inspect_err(|_| {
            assert_eq!(beside.path().read_dir().unwrap().count(), 0, "nothing of it stays");
        })
    }

    #[test]
    fn a_poisoned_archive_leaves_nothing() {
        let poisons: [(&str, Poison); 12] = [
            ("a way up", |tar| append(tar, EntryType::Regular, "source/node_modules/../../x", "", 1)),
            ("an absolute path", |tar| append(tar, EntryType::Regular, "/etc/cron.d/x", "", 1)),
            ("another directory", |tar| append(tar, EntryType::Regular, "source/package.json", "", 1)),
            ("a longer name", |tar| append(tar, EntryType::Regular, "source/node_modules-2/x", "", 1)),
            ("a link up", |tar| append(tar, EntryType::Symlink, "source/node_modules/x", "../../home", 0)),
            ("a link to the root", |tar| append(tar, EntryType::Symlink, "source/node_modules/x", "/", 0)),
            ("the directory as a link", |tar| append(tar, EntryType::Symlink, DIRECTORY, "/tmp", 0)),
            ("a hard link", |tar| append(tar, EntryType::Link, "source/node_modules/x", "/etc/passwd", 0)),
            ("a device", |tar| append(tar, EntryType::Char, "source/node_modules/null", "", 0)),
            ("a pipe", |tar| append(tar, EntryType::Fifo, "source/node_modules/pipe", "", 0)),
            ("too much", |tar| {
                append(tar, EntryType::Regular, "source/node_modules/x", "", LIMITS.bytes + 1);
            }),
            ("too many", |tar| {
                for _ in 0..=LIMITS.entries {
                    append(tar, EntryType::Directory, "source/node_modules", "", 0);
                }
            }),
        ];
        for (what, poison) in poisons {
            let file = archive(|tar| {
                append(tar, EntryType::Regular, "source/node_modules/good", "", 3);
                poison(tar);
            });
            assert!(matches!(unpacked(file), Err(CacheError::Archive(_))), "{what}");
        }
    }

    #[test]
    fn a_torn_archive_leaves_nothing() {
        let whole = archive(|tar| append(tar, EntryType::Regular, "source/node_modules/x", "", 100_000));
        let bytes = whole.metadata().unwrap().len();
        for length in [0, 3, bytes / 2, bytes - 5] {
            let torn = whole.try_clone().unwrap();
            torn.set_len(length).unwrap();
            (&torn).rewind().unwrap();
            let error = unpacked(torn).map(|staged| staged.content).unwrap_err();
            assert!(matches!(error, CacheError::Archive(_)), "{length}: {error}");
            whole.set_len(bytes).unwrap();
        }
    }

    #[test]
    fn what_is_there_already_or_behind_a_link_stays_as_it_is() {
        let workspace = tempfile::tempdir().unwrap();
        let (source, outside) = (workspace.path().join("source"), tempfile::tempdir().unwrap());
        std::fs::create_dir(&source).unwrap();
        let place = || {
            let file = archive(|tar| append(tar, EntryType::Regular, "source/node_modules/x", "", 1));
            let staged = unpacked_in(file, workspace.path());
            staged.place(workspace.path(), &[DIRECTORY.to_owned()], Owner::ours()).unwrap()
        };
        symlink(outside.path(), source.join("node_modules")).unwrap();
        assert_eq!(place(), [DIRECTORY]);
        std::fs::remove_file(source.join("node_modules")).unwrap();
        assert!(place().is_empty());
        assert_eq!(std::fs::read(source.join("node_modules/x")).unwrap(), b"x");
        assert_eq!(place(), [DIRECTORY]);
        std::fs::remove_dir_all(&source).unwrap();
        symlink(outside.path(), &source).unwrap();
        let file = archive(|tar| append(tar, EntryType::Regular, "source/node_modules/x", "", 1));
        let staged = unpacked_in(file, workspace.path());
        let owner = Owner::ours();
        assert_eq!(staged.place(workspace.path(), &[DIRECTORY.to_owned()], owner).unwrap(), [DIRECTORY]);
        assert_eq!(outside.path().read_dir().unwrap().count(), 0);
    }

    fn unpacked_in(file: File, beside: &Path) -> Staged {
        Staged::unpack(file, &[DIRECTORY.to_owned()], beside, &|| false).unwrap()
    }
}
