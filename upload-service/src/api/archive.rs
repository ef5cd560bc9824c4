//! Whether what was uploaded is an archive that a builder can read.

use std::io::{self, Read};
use std::path::Path;

use super::upload::unusable;
use crate::problem::ApiError;

/// How long the name of an entry and what else describes it may be, in bytes: readers hold it in memory.
const LARGEST_METADATA: u64 = 64 << 10;

/// What describes the entry that follows, where its own header has no room for it.
#[derive(Debug, Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Reads the archive through: every header makes sense, every file is whole, and there is one at least.
pub(super) fn check_archive(path: &Path) -> Result<(), ApiError> {
    let file = std::fs::File::open(path).map_err(|error| ApiError::Internal(error.into()))?;
    let decoder = zstd::Decoder::new(file).map_err(|error| ApiError::Internal(error.into()))?;
    check(decoder)
}

/// The entries are taken as they lie in the archive, for else metadata of any size is read into memory.
fn check(archive: impl Read) -> Result<(), ApiError> {
    let mut archive = tar::Archive::new(archive);
    let mut files = 0_u64;
    let mut ahead = Ahead::default();
    for entry in archive.entries().map_err(|error| unusable(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| unusable(&error))?;
        let kind = entry.header().entry_type();
        let is_metadata = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        if is_metadata {
            if entry.size() > LARGEST_METADATA {
                return Err(refused("a name in it is longer than any file's can be"));
            }
            // Where these kinds mean nothing, nobody else would take them for what they say.
            if entry.header().as_gnu().is_none() && entry.header().as_ustar().is_none() {
                return Err(refused("a long name stands in an archive of the oldest form"));
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(|error| unusable(&error))?;
            if kind.is_gnu_longname() {
                content.truncate(content.iter().position(|byte| *byte == 0).unwrap_or(content.len()));
                ahead.name = Some(content);
            } else if kind.is_pax_local_extensions() {
                ahead.learn(&content)?;
            }
            continue;
        }
        if kind.is_gnu_sparse() {
            return Err(refused("a file in it has holes: make the archive without `--sparse`"));
        }
        let Ahead { name, size } = std::mem::take(&mut ahead);
        if size.is_some_and(|size| size != entry.size()) {
            return Err(refused("two sizes are said of one file"));
        }
        inside(&name.unwrap_or_else(|| entry.path_bytes().into_owned()))?;
        files += u64::from(kind.is_file());
        io::copy(&mut entry, &mut io::sink()).map_err(|error| unusable(&error))?;
    }
    if ahead.name.is_some() || ahead.size.is_some() {
        return Err(refused("it ends before the file of its last name"));
    }
    if files == 0 {
        return Err(ApiError::invalid("upload.empty", "there is no file in the archive"));
    }
    Ok(())
}

impl Ahead {
    /// Takes what an extended header says (POSIX.1-2017, pax, "pax Extended Header"). A long name of GNU
    /// goes before the one in here.
    fn learn(&mut self, content: &[u8]) -> Result<(), ApiError> {
        // Values may hold line ends, which make records of no sense; readers pass over them too.
        for record in tar::PaxExtensions::new(content).filter_map(Result::ok) {
            match record.key_bytes() {
                b"path" if self.name.is_none() => self.name = Some(record.value_bytes().to_vec()),
                b"size" if self.size.is_none() => {
                    let size = record.value().ok().and_then(|value| value.parse().ok());
                    self.size = Some(size.ok_or_else(|| refused("a size in it is no number"))?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn inside(path: &[u8]) -> Result<(), ApiError> {
    if path.starts_with(b"/") || path.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
        let path = String::from_utf8_lossy(path);
        return Err(ApiError::invalid("upload.path", format!("`{path}` leads out of the archive")));
    }
    Ok(())
}

fn refused(reason: &str) -> ApiError {
    ApiError::invalid("upload.archive", format!("the archive cannot be used: {reason}"))
}

#[cfg(test)]
mod tests {
    use tar::EntryType;

    use super::*;

    fn header(kind: EntryType, bytes: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_path("a").unwrap();
        header.set_entry_type(kind);
        header.set_size(bytes);
        header.set_mode(0o644);
        header.set_cksum();
        header
    }

    fn verdict(entries: &[(EntryType, &[u8])]) -> Result<(), String> {
        let mut archive = tar::Builder::new(Vec::new());
        for (kind, content) in entries {
            archive.append(&header(*kind, content.len() as u64), *content).unwrap();
        }
        check(&*archive.into_inner().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_in_front_of_their_files_are_looked_at() {
        use EntryType::{GNULongName, Regular, XGlobalHeader, XHeader};
        let file: (EntryType, &[u8]) = (Regular, b"hi");
        let check = |ahead: (EntryType, &[u8]), expected: &str| match verdict(&[ahead, file]) {
            Ok(()) => assert_eq!(expected, ""),
            Err(error) => assert!(!expected.is_empty() && error.contains(expected), "{error}"),
        };
        check((GNULongName, b"some/long/name\0"), "");
        check((GNULongName, b"../up\0"), "`../up` leads out");
        check((XHeader, b"15 path=a/b/cd\n"), "");
        check((XHeader, b"14 path=../up\n"), "`../up` leads out");
        check((XHeader, b"9 size=2\n"), "");
        check((XHeader, b"9 size=0\n"), "two sizes");
        check((XGlobalHeader, b"14 comment=abc\n"), "");
        check((GNULongName, &vec![b'x'; 70_000]), "longer than any");
        check((EntryType::GNUSparse, b""), "holes");
        assert!(verdict(&[file, (GNULongName, b"b\0")]).unwrap_err().contains("ends before"));
    }
}
