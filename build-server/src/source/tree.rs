//! The entries of a commit's tree, with every name that could lead elsewhere refused.

use std::path::PathBuf;

use git2::{ObjectType, Oid, Repository};
use gitdeploy_core::{Failure, FailureCode};

use super::budget::Budget;
use crate::stop::Stop;

/// How long a name and a path may be, which is what Linux takes.
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 4000;

/// How long all paths may be together: they are in memory at once.
const LONGEST_PATHS: usize = 64 << 20;

/// One entry, by its path from the root.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) id: Oid,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File {
        executable: bool,
    },
    Link,
    /// A commit of another repository: a submodule.
    Commit,
}

impl Entry {
    pub(super) fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStringExt as _;
        std::ffi::OsString::from_vec(self.path.clone()).into()
    }

    /// The mode that git keeps for it.
    pub(super) fn mode(&self) -> u32 {
        match self.kind {
            Kind::Folder => 0o040_000,
            Kind::File { executable: false } => 0o100_644,
            Kind::File { executable: true } => 0o100_755,
            Kind::Link => 0o120_000,
            Kind::Commit => 0o160_000,
        }
    }
}

/// Lists the tree of a commit, folders before what is in them. Each entry is counted before it is kept, so that a
/// tree that names itself a million times ends at the limit.
pub(super) fn list(repository: &Repository, commit: Oid, budget: &Budget) -> Result<Vec<Entry>, Stop> {
    let root = repository.find_commit(commit).map_err(|error| broken(&error))?.tree_id();
    let odb = repository.odb().map_err(|error| broken(&error))?;
    let (mut entries, mut length) = (Vec::new(), 0);
    let mut open = vec![(Vec::new(), root)];
    while let Some((folder, id)) = open.pop() {
        budget.go_on()?;
        let object = odb.read(id).map_err(|error| broken(&error))?;
        if object.kind() != ObjectType::Tree {
            return Err(refuse(&folder, "it is no folder, though the tree says so"));
        }
        let mut rest = object.data();
        while let Some((mode, name, id, after)) = next(rest) {
            rest = after;
            let mut path = folder.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            check(name, &path)?;
            budget.write()?;
            length += path.len();
            if length > LONGEST_PATHS {
                return Err(refuse(&path, "all paths together are longer than may be"));
            }
            let kind = match mode & 0o170_000 {
                0o040_000 => Kind::Folder,
                0o100_000 => Kind::File { executable: mode & 0o100 != 0 },
                0o120_000 => Kind::Link,
                0o160_000 => Kind::Commit,
                _ => return Err(refuse(&path, "it is of no kind that git knows")),
            };
            if kind == Kind::Folder {
                open.push((path.clone(), id));
            }
            entries.push(Entry { path, id, kind });
        }
        if !rest.is_empty() {
            return Err(refuse(&folder, "the folder is damaged"));
        }
    }
    Ok(entries)
}

/// The mode in octal digits, a space, the name, NUL, 20 bytes of id.
fn next(bytes: &[u8]) -> Option<(u32, &[u8], Oid, &[u8])> {
    let space = memchr::memchr(b' ', bytes)?;
    let mode = u32::from_str_radix(std::str::from_utf8(&bytes[..space]).ok()?, 8).ok()?;
    let bytes = &bytes[space + 1..];
    let end = memchr::memchr(0, bytes)?;
    let (name, bytes) = (&bytes[..end], &bytes[end + 1..]);
    let (id, rest) = bytes.split_at_checked(20)?;
    Some((mode, name, Oid::from_bytes(id).ok()?, rest))
}

fn check(name: &[u8], path: &[u8]) -> Result<(), Stop> {
    let why = if name.len() > LONGEST_NAME || path.len() > LONGEST_PATH {
        "its name is longer than a file's may be"
    } else if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
        "its name leads elsewhere"
    } else if is_git(name) {
        "its name is that of git's own folder"
    } else {
        return Ok(());
    };
    Err(refuse(path, why))
}

/// Whether some file system takes the name for `.git`: one that ignores case, one that ignores the characters that
/// HFS+ ignores, or one with short names.
fn is_git(name: &[u8]) -> bool {
    if name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1") {
        return true;
    }
    if name.is_ascii() {
        return false;
    }
    let seen = String::from_utf8_lossy(name);
    let seen: String = seen.chars().filter(|character| !is_ignored(*character)).collect();
    seen.eq_ignore_ascii_case(".git")
}

fn is_ignored(character: char) -> bool {
    matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

pub(super) fn refuse(path: &[u8], why: &str) -> Stop {
    let shown: String = String::from_utf8_lossy(path).chars().take(100).collect();
    let cause = format!("the path `{shown}` of the commit is not written: {why}");
    Stop::author(Failure::new(FailureCode::CloneTree, cause).fix("rename it or remove it, and push"))
}

fn broken(error: &git2::Error) -> Stop {
    let cause = format!("the commit cannot be read: {}", error.message());
    Stop::author(
        Failure::new(FailureCode::CloneTree, cause)
            .fix("push it again, or run `git fsck` to see what is broken"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".g\u{200c}it",
            "\u{feff}.git",
            "..",
            ".",
            "",
            "a/b",
            &"x".repeat(5000),
        ] {
            let stop = check(name.as_bytes(), name.as_bytes()).unwrap_err();
            assert_eq!(stop.failure.code, FailureCode::CloneTree, "{name}");
            assert!(stop.failure.cause.len() < 300, "{name}");
        }
        for name in [".gitignore", ".github", "git", "...", "g\u{200c}it", "a b", "ä", &"x".repeat(255)] {
            check(name.as_bytes(), name.as_bytes()).unwrap();
        }
        assert!(check(b"a", &[b'a'; 4001]).is_err());
    }

    #[test]
    fn a_tree_is_read_to_its_end() {
        let mut bytes = b"100644 a.txt\0".to_vec();
        bytes.extend([7; 20]);
        bytes.extend(b"40000 b\0");
        bytes.extend([8; 20]);
        let (mode, name, id, rest) = next(&bytes).unwrap();
        assert_eq!((mode, name, id.as_bytes()), (0o100_644, &b"a.txt"[..], &[7; 20][..]));
        let (mode, name, _, rest) = next(rest).unwrap();
        assert_eq!((mode, name, rest), (0o40_000, &b"b"[..], &b""[..]));
        for damaged in [&bytes[..10], &bytes[..20], b"9 a\0", b"100644a\0"] {
            assert!(next(damaged).is_none());
        }
    }
}
