//! Compresses the content of one file, as well as pays for its size.
//!
//! The levels were measured on 12 MB of small pages of documentation, 30 MB of files between 64 KiB and 1 MiB, and
//! 60 MB of large ones, on one core:
//!
//! | | small | medium | large |
//! |---|---|---|---|
//! | br 4 | 27.3 %, 85 MB/s | 12.2 %, 193 MB/s | 6.6 %, 192 MB/s |
//! | **br 5** | 25.4 %, 69 MB/s | 11.1 %, 115 MB/s | 5.8 %, 132 MB/s |
//! | br 9 | 25.2 %, 2.5 MB/s | 10.6 %, 14 MB/s | 5.0 %, 43 MB/s |
//! | br 10 | 23.2 %, 2.8 MB/s | 9.9 %, 3.5 MB/s | 4.3 %, 4 MB/s |
//! | **zstd 6** | 28.0 %, 137 MB/s | 11.6 %, 242 MB/s | 6.2 %, 318 MB/s |
//! | zstd 9 | 27.9 %, 92 MB/s | 11.3 %, 159 MB/s | 5.8 %, 208 MB/s |
//! | zstd 12 | 27.7 %, 28 MB/s | 11.1 %, 42 MB/s | 5.4 %, 82 MB/s |
//! | **gzip 6** | 28.0 %, 118 MB/s | 12.4 %, 99 MB/s | 7.7 %, 112 MB/s |
//! | gzip 9 | 27.9 %, 111 MB/s | 12.3 %, 62 MB/s | 7.6 %, 61 MB/s |
//!
//! Only brotli's 10 is worth more time, and it takes so much more that it has to be spent where little is compressed.

use std::io::{self, Read, Write};

use brotli::enc::BrotliEncoderParams;
use gitdeploy_core::manifest::Encoding;

/// How much of a file is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// The windows of brotli, as powers of two. With a smaller one the encoder falls back to a search that takes thirty
/// times as long; a larger one browsers do not take.
const BROTLI_WINDOWS: (u32, u32) = (18, 22);

/// The windows of zstd; browsers take none above 8 MiB (RFC 9659).
const ZSTD_WINDOWS: (u32, u32) = (10, 23);

/// How hard it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// At the speed of an upload.
    Quick,
    /// For a site so small that nobody notices the time.
    Thorough,
}

/// Writes what `source`, which has `bytes` bytes, is in an encoding.
pub(super) fn encode(
    source: &mut impl Read,
    target: &mut impl Write,
    bytes: u64,
    encoding: Encoding,
    effort: Effort,
) -> io::Result<()> {
    // A window that holds the file is large enough.
    let window = |(least, most): (u32, u32)| (bytes.max(1).ilog2() + 1).clamp(least, most);
    match encoding {
        Encoding::Br => {
            let params = BrotliEncoderParams {
                quality: if effort == Effort::Thorough { 10 } else { 5 },
                lgwin: i32::try_from(window(BROTLI_WINDOWS)).unwrap_or_default(),
                size_hint: usize::try_from(bytes).unwrap_or_default(),
                ..BrotliEncoderParams::default()
            };
            brotli::BrotliCompress(source, target, &params).map(drop)
        }
        Encoding::Zstd => {
            let mut encoder = zstd::Encoder::new(target, if effort == Effort::Thorough { 12 } else { 6 })?;
            encoder.set_pledged_src_size(Some(bytes))?;
            encoder.window_log(window(ZSTD_WINDOWS))?;
            copy(source, &mut encoder)?;
            encoder.finish().map(drop)
        }
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(target, flate2::Compression::new(6));
            copy(source, &mut encoder)?;
            encoder.finish().map(drop)
        }
    }
}

fn copy(source: &mut impl Read, target: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(()),
            bytes => target.write_all(&buffer[..bytes])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variants::tests::decoded;

    #[test]
    fn what_is_encoded_is_smaller_and_holds_the_same() {
        let small = b"<p>GitDeploy</p>\n".repeat(100);
        let large: Vec<u8> = (0..40_000_u32).flat_map(|number| format!("{number} ").into_bytes()).collect();
        for content in [&small, &large] {
            for encoding in Encoding::ALL {
                for effort in [Effort::Quick, Effort::Thorough] {
                    let mut encoded = Vec::new();
                    encode(&mut &content[..], &mut encoded, content.len() as u64, encoding, effort).unwrap();
                    assert!(encoded.len() < content.len() / 2, "{encoding:?}: {}", encoded.len());
                    assert_eq!(decoded(encoding, &encoded), *content, "{encoding:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_can_be_encoded() {
        for encoding in Encoding::ALL {
            let mut encoded = Vec::new();
            encode(&mut &b""[..], &mut encoded, 0, encoding, Effort::Quick).unwrap();
            assert_eq!(decoded(encoding, &encoded), b"", "{encoding:?}");
        }
    }
}
