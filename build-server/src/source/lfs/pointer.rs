//! A pointer: three lines in the place of a file.

use std::path::PathBuf;

use gitdeploy_core::hash::Sha256;

use super::super::tree::Entry;

/// Longer pointers are none.
const LONGEST: usize = 1024;

const FIRST_LINE: &str = "version https://git-lfs.github.com/spec/v1\n";

/// A file of the work tree that stands for another.
#[derive(Debug, Clone)]
pub(in super::super) struct Pointer {
    pub(super) entry: Entry,
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
}

impl Pointer {
    /// Reads the content of a file as a pointer, if it is one.
    pub(in super::super) fn read(content: &[u8], entry: &Entry) -> Option<Self> {
        if content.len() > LONGEST || !content.starts_with(FIRST_LINE.as_bytes()) {
            return None;
        }
        let text = std::str::from_utf8(content).ok()?;
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let sha256 = value("oid")?.strip_prefix("sha256:")?.parse().ok()?;
        let bytes = value("size")?.parse().ok()?;
        Some(Self { entry: entry.clone(), sha256, bytes })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// A name that no other path of the tree has.
    pub(super) fn name(&self) -> String {
        Sha256::of(&self.entry.path).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::Kind;
    use super::*;

    #[test]
    fn only_three_whole_lines_are_a_pointer() {
        let entry = Entry { path: b"a".to_vec(), id: git2::Oid::ZERO_SHA1, kind: Kind::Link };
        let read = |text: &str| Pointer::read(text.as_bytes(), &entry).map(|pointer| pointer.bytes);
        let sha256 = "0".repeat(64);
        let whole = format!("{FIRST_LINE}oid sha256:{sha256}\nsize 12\n");
        assert_eq!(read(&whole), Some(12));
        assert_eq!(read(&whole.replace("sha256", "md5")), None);
        assert_eq!(read(&whole.replace("12", "-1")), None);
        assert_eq!(read(&whole.replace("size", "length")), None);
        assert_eq!(read(&format!("\n{whole}")), None);
        assert_eq!(read(&format!("{whole}{}", "x".repeat(LONGEST))), None);
        assert_eq!(read(""), None);
    }
}
