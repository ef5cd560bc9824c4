//! Unpacks an uploaded archive, whose content nobody has looked at.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use futures_util::StreamExt as _;
use gitdeploy_core::{Failure, FailureCode};
use gitdeploy_store::ObjectBody;
use tar::EntryType;

use crate::stop::{Stop, disk};

/// How much an archive may hold once it is unpacked, in bytes and entries.
const MOST_BYTES: u64 = 4 << 30;
const MOST_ENTRIES: u64 = 500_000;

/// How long the name of an entry and what else describes it may be, in bytes.
const LARGEST_METADATA: u64 = 64 << 10;

/// Copies an archive to a file without a name.
pub(crate) async fn download(body: ObjectBody) -> Result<File, Stop> {
    const FAILED: &str = "cannot keep the archive";
    let mut file = tempfile::tempfile().map_err(disk(FAILED))?;
    match body {
        ObjectBody::Bytes(bytes) => file.write_all(&bytes).map_err(disk(FAILED))?,
        ObjectBody::Stream(mut pieces) => {
            while let Some(piece) = pieces.next().await {
                file.write_all(&piece?).map_err(disk(FAILED))?;
            }
        }
    }
    file.rewind().map_err(disk(FAILED))?;
    Ok(file)
}

/// Unpacks a tar archive, compressed with zstd, into the empty directory `target`. Only directories, files
/// and symbolic links are made, and none outside of it.
pub(crate) fn unpack(mut archive: File, target: &Path) -> Result<(), Stop> {
    check_metadata(&archive)?;
    archive.rewind().map_err(disk("cannot read the archive"))?;
    let decoder = zstd::Decoder::new(archive).map_err(|error| damaged(&error.to_string()))?;
    let mut archive = tar::Archive::new(decoder);
    archive.set_preserve_mtime(true);
    let (mut bytes, mut entries) = (0, 0);
    for entry in archive.entries().map_err(|error| damaged(&error.to_string()))? {
        let mut entry = entry.map_err(|error| damaged(&error.to_string()))?;
        entries += 1;
        bytes += entry.size();
        if bytes > MOST_BYTES || entries > MOST_ENTRIES {
            return Err(damaged("it holds more than 4 GiB or 500,000 entries"));
        }
        let name = entry.path().map(|path| path.display().to_string()).unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Link => {}
            EntryType::XGlobalHeader => continue,
            other => return Err(damaged(&format!("`{name}` is neither a file nor a directory ({other:?})"))),
        }
        // `unpack_in` refuses what would land outside, through `..` or a link made before.
        match entry.unpack_in(target) {
            Ok(true) => {}
            Ok(false) => return Err(damaged(&format!("`{name}` leads out of the archive"))),
            Err(error) => return Err(damaged(&format!("`{name}` cannot be unpacked: {error}"))),
        }
    }
    Ok(())
}

/// Long names and extended headers are read into memory whole, so their sizes are looked at before.
fn check_metadata(archive: &File) -> Result<(), Stop> {
    let damage = |error: std::io::Error| damaged(&error.to_string());
    let mut archive = tar::Archive::new(zstd::Decoder::new(archive).map_err(damage)?);
    for entry in archive.entries().map_err(damage)?.raw(true) {
        let entry = entry.map_err(damage)?;
        let kind = entry.header().entry_type();
        let is_metadata = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        if is_metadata && entry.size() > LARGEST_METADATA {
            return Err(damaged("a name in it is longer than any file's can be"));
        }
    }
    Ok(())
}

fn damaged(reason: &str) -> Stop {
    let failure = Failure::new(FailureCode::SourceArchive, format!("the archive is not usable: {reason}"));
    Stop::author(failure.fix("upload it again"))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

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
        unpack(file, target.path()).unwrap();
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
        assert!(unpack(climbing, &target).is_err());
        let through_a_link = archive(|tar| {
            let mut link = header(EntryType::Symlink, "link", 0);
            link.set_link_name("..").unwrap();
            link.set_cksum();
            tar.append(&link, &b""[..]).unwrap();
            tar.append(&header(EntryType::Regular, "link/out.txt", 2), &b"hi"[..]).unwrap();
        });
        assert!(unpack(through_a_link, &target).is_err());
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
        let stop = unpack(endless, target.path()).unwrap_err();
        assert!(stop.failure.cause.contains("longer than any file's"), "{}", stop.failure);
    }

    #[test]
    fn other_kinds_and_damage_are_refused() {
        let device = archive(|tar| {
            tar.append(&header(EntryType::Char, "null", 0), &b""[..]).unwrap();
        });
        let target = tempfile::tempdir().unwrap();
        let stop = unpack(device, target.path()).unwrap_err();
        assert_eq!(stop.failure.code, FailureCode::SourceArchive);

        let mut noise = tempfile::tempfile().unwrap();
        noise.write_all(b"this is no archive at all").unwrap();
        noise.rewind().unwrap();
        assert!(unpack(noise, target.path()).is_err());
    }
}
