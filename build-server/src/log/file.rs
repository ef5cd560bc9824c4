//! A file without a name that grows.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// How long nearly every event is at most, in bytes: every byte of a line may need six in JSON.
const USUAL: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct SpoolFile {
    file: File,
    bytes: u64,
}

impl SpoolFile {
    pub(super) fn create() -> std::io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, bytes: 0 })
    }

    /// A file that is full.
    #[cfg(test)]
    pub(super) fn full() -> Self {
        Self { file: File::options().write(true).open("/dev/full").unwrap(), bytes: 0 }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends all of `bytes` or nothing: what follows takes the place of a part.
    pub(super) fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all_at(bytes, self.bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Up to `most` bytes from `offset` on.
    pub(super) fn read(&self, offset: u64, most: usize) -> std::io::Result<Vec<u8>> {
        let there = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; most.min(there)];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// The line that begins at `offset`.
    pub(super) fn read_line(&self, offset: u64) -> std::io::Result<Vec<u8>> {
        let mut most = USUAL;
        loop {
            let mut bytes = self.read(offset, most)?;
            let end = memchr::memchr(b'\n', &bytes);
            if end.is_some() || bytes.len() < most {
                bytes.truncate(end.map_or(bytes.len(), |end| end + 1));
                return Ok(bytes);
            }
            most *= 2;
        }
    }
}
