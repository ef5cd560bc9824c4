//! Compressed copies of a site's files, which are made while the files themselves are uploaded.

mod encode;
mod pool;

use std::path::PathBuf;

use gitdeploy_core::SitePath;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::Encoding;
use gitdeploy_store::Content;
use tempfile::TempPath;
use tokio::sync::OwnedSemaphorePermit;

pub(crate) use pool::Pool;

/// A smaller file is in the first packet as it is; in bytes.
const SMALLEST: u64 = 1024;

/// A file that is to be compressed.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) path: SitePath,
    /// Where it is.
    pub(crate) real: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) sha256: Sha256,
    pub(crate) encodings: Vec<Encoding>,
}

/// A compressed copy of a file. Its room is free when it is dropped.
#[derive(Debug)]
pub(crate) struct Compressed {
    pub(crate) path: SitePath,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: u64,
    pub(crate) sha256: Sha256,
    content: Content,
    _room: Room,
}

/// Where a copy waits for the upload.
#[derive(Debug)]
enum Room {
    Memory { _permit: OwnedSemaphorePermit },
    Disk { _file: TempPath },
}

impl Compressed {
    /// What it consists of, for as long as the copy is there.
    pub(crate) fn content(&self) -> Content {
        self.content.clone()
    }
}

/// Whether files of this type and size are compressed at all.
pub(crate) fn is_compressible(content_type: &str, bytes: u64) -> bool {
    const TYPES: [&str; 8] = [
        "application/javascript",
        "application/json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/xml",
        "font/otf",
        "font/ttf",
        "image/x-icon",
    ];
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_text = || essence.starts_with("text/") || essence.ends_with("+xml") || essence.ends_with("+json");
    bytes >= SMALLEST && (is_text() || TYPES.contains(&essence))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was encoded.
    pub(super) fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        let mut decoder: Box<dyn std::io::Read> = match encoding {
            Encoding::Br => Box::new(brotli::Decompressor::new(bytes, 4096)),
            Encoding::Zstd => Box::new(zstd::Decoder::new(bytes).unwrap()),
            Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
        };
        decoder.read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn only_what_can_become_smaller_is_compressed() {
        for (content_type, bytes, expected) in [
            ("text/html; charset=utf-8", 1024, true),
            ("text/html; charset=utf-8", 1023, false),
            ("image/svg+xml; charset=utf-8", 4000, true),
            ("application/json", 4000, true),
            ("application/manifest+json", 4000, true),
            ("application/wasm", 4000, true),
            ("image/png", 4000, false),
            ("font/woff2", 4000, false),
            ("application/octet-stream", 4000, false),
        ] {
            assert_eq!(is_compressible(content_type, bytes), expected, "{content_type} {bytes}");
        }
    }
}
