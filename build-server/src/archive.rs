//! Archives whose content nobody has looked at: fetched from the store, and unpacked with distrust.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use futures_util::StreamExt as _;
use gitdeploy_store::{ObjectBody, StoreError};
use tar::EntryType;

/// How long the name of an entry and what else describes it may be, in bytes.
const LARGEST_METADATA: u64 = 64 << 10;

/// How much an archive may hold once it is unpacked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// An entry of an archive that is about to be made.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) path: &'a Path,
    pub(crate) kind: EntryType,
    /// Where a link leads.
    pub(crate) link: Option<&'a Path>,
}

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// What it holds is damaged or not allowed.
    #[error("{0}")]
    Unusable(String),
    /// The store did not hand it out.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be kept here.
    #[error("cannot keep the archive: {0}")]
    Disk(#[from] std::io::Error),
}

/// Copies an archive to a file without a name; `seen` gets each piece.
pub(crate) async fn download(body: ObjectBody, mut seen: impl FnMut(&[u8])) -> Result<File, ArchiveError> {
    let mut file = tempfile::tempfile()?;
    match body {
        ObjectBody::Bytes(bytes) => {
            seen(&bytes);
            file.write_all(&bytes)?;
        }
        ObjectBody::Stream(mut pieces) => {
            while let Some(piece) = pieces.next().await {
                let piece = piece?;
                seen(&piece);
                file.write_all(&piece)?;
            }
        }
    }
    file.rewind()?;
    Ok(file)
}

/// Unpacks a tar archive, compressed with zstd, into the empty directory `target`. Only directories, files and
/// links are made, none outside of it, none that may run as somebody else, and none that `check` refuses.
pub(crate) fn unpack(
    mut archive: File,
    target: &Path,
    limits: Limits,
    mut check: impl FnMut(&Entry<'_>) -> Result<(), String>,
) -> Result<(), ArchiveError> {
    check_sizes(&archive, limits)?;
    archive.rewind()?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(archive)?);
    archive.set_preserve_mtime(true);
    let mut used = Used::new(limits);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        used.add(entry.size())?;
        let kind = entry.header().entry_type();
        let path = entry.path().map_err(damaged)?.into_owned();
        let name = path.display();
        match kind {
            EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Link => {}
            EntryType::XGlobalHeader => continue,
            other => return Err(unusable(format!("`{name}` is neither a file nor a directory ({other:?})"))),
        }
        let link = entry.link_name().map_err(damaged)?.map(std::borrow::Cow::into_owned);
        check(&Entry { path: &path, kind, link: link.as_deref() }).map_err(unusable)?;
        // `unpack_in` refuses what would land outside, through `..` or a link made before.
        match entry.unpack_in(target) {
            Ok(true) => {}
            Ok(false) => return Err(unusable(format!("`{name}` leads out of the archive"))),
            Err(error) => return Err(unusable(format!("`{name}` cannot be unpacked: {error}"))),
        }
    }
    Ok(())
}

/// Looks at the sizes before anything is made. Long names and extended headers are read into memory whole, so
/// theirs have a limit of their own.
fn check_sizes(archive: &File, limits: Limits) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(archive)?);
    let mut used = Used::new(limits);
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        let is_metadata = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        if is_metadata {
            if entry.size() > LARGEST_METADATA {
                return Err(unusable("a name in it is longer than any file's can be"));
            }
        } else {
            used.add(entry.size())?;
        }
    }
    Ok(())
}

/// How much of an archive was seen.
struct Used {
    limits: Limits,
    bytes: u64,
    entries: u64,
}

impl Used {
    fn new(limits: Limits) -> Self {
        Self { limits, bytes: 0, entries: 0 }
    }

    fn add(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let Limits { bytes, entries } = self.limits;
        if self.bytes > bytes || self.entries > entries {
            return Err(unusable(format!("it holds more than {} GiB or {entries} entries", bytes >> 30)));
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn damaged(error: std::io::Error) -> ArchiveError {
    unusable(error.to_string())
}

fn unusable(reason: impl Into<String>) -> ArchiveError {
    ArchiveError::Unusable(reason.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const LIMITS: Limits = Limits { bytes: 1 << 30, entries: 1000 };

    fn unpack_all(archive: File, target: &Path) -> Result<(), ArchiveError> {
        unpack(archive, target, LIMITS, |_| Ok(()))
    }

    fn archive(build: impl FnOnce(&mut tar::Builder<zstd::Encoder<'static, File>>)) -> File {
        let encoder = zstd::Encoder::new(tempfile::tempfile().unwrap(), 0).unwrap();
        let mut builder = tar::Builder::new(encoder);
        build(&mut builder);
        let mut file = builder.into_inner().unwrap().finish().unwrap();
        file.rewind().unwrap();
        file
    }

    fn header(kind: EntryType, name: &str, bytes: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes);
        header.set_mode(0o644);
        // `set_path` refuses what a hostile archive has.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        header
    }

    #[test]
    fn files_are_unpacked() {
        let file = archive(|tar| {
            tar.append(&header(EntryType::Regular, "a/b.txt", 2), &b"hi"[..]).unwrap();
        });
        let target = tempfile::tempdir().unwrap();
        unpack_all(file, target.path()).unwrap();
        let mut text = String::new();
        File::open(target.path().join("a/b.txt")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hi");
    }

    #[test]
    fn nothing_lands_outside() {
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        std::fs::create_dir(&target).unwrap();
        let climbing = archive(|tar| {
            tar.append(&header(EntryType::Regular, "../out.txt", 2), &b"hi"[..]).unwrap();
        });
        assert!(unpack_all(climbing, &target).is_err());
        let through_a_link = archive(|tar| {
            let mut link = header(EntryType::Symlink, "link", 0);
            link.set_link_name("..").unwrap();
            link.set_cksum();
            tar.append(&link, &b""[..]).unwrap();
            tar.append(&header(EntryType::Regular, "link/out.txt", 2), &b"hi"[..]).unwrap();
        });
        assert!(unpack_all(through_a_link, &target).is_err());
        assert!(!outside.path().join("out.txt").exists());
    }

    #[test]
    fn a_name_that_would_fill_the_memory_is_refused() {
        let endless = archive(|tar| {
            let name = std::io::repeat(b'x').take(10 << 20);
            tar.append(&header(EntryType::GNULongName, "long", 10 << 20), name).unwrap();
            tar.append(&header(EntryType::Regular, "a", 2), &b"hi"[..]).unwrap();
        });
        let target = tempfile::tempdir().unwrap();
        let error = unpack_all(endless, target.path()).unwrap_err();
        assert!(error.to_string().contains("longer than any file's"), "{error}");
    }

    #[test]
    fn other_kinds_and_damage_are_refused() {
        let device = archive(|tar| {
            tar.append(&header(EntryType::Char, "null", 0), &b""[..]).unwrap();
        });
        let target = tempfile::tempdir().unwrap();
        let error = unpack_all(device, target.path()).unwrap_err();
        assert!(error.to_string().contains("neither a file nor a directory"), "{error}");

        let mut noise = tempfile::tempfile().unwrap();
        noise.write_all(b"this is no archive at all").unwrap();
        noise.rewind().unwrap();
        assert!(unpack_all(noise, target.path()).is_err());
    }

    #[test]
    fn what_is_larger_or_more_than_allowed_makes_nothing() {
        let large = archive(|tar| {
            tar.append(&header(EntryType::Regular, "small", 2), &b"hi"[..]).unwrap();
            let zeros = std::io::repeat(0).take(LIMITS.bytes);
            tar.append(&header(EntryType::Regular, "large", LIMITS.bytes), zeros).unwrap();
        });
        let many = archive(|tar| {
            for _ in 0..=LIMITS.entries {
                tar.append(&header(EntryType::Regular, "a", 0), &b""[..]).unwrap();
            }
        });
        for archive in [large, many] {
            let target = tempfile::tempdir().unwrap();
            let error = unpack_all(archive, target.path()).unwrap_err();
            assert!(error.to_string().contains("1 GiB or 1000 entries"), "{error}");
            assert_eq!(target.path().read_dir().unwrap().count(), 0);
        }
    }

    #[test]
    fn nothing_that_is_unpacked_runs_as_somebody_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = archive(|tar| {
            let mut header = header(EntryType::Regular, "su", 2);
            header.set_mode(0o6755);
            header.set_cksum();
            tar.append(&header, &b"hi"[..]).unwrap();
        });
        let target = tempfile::tempdir().unwrap();
        unpack_all(file, target.path()).unwrap();
        let mode = target.path().join("su").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7000, 0, "{mode:o}");
    }
}
