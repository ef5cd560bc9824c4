//! Reading a file as an object.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use gitdeploy_core::Key;

use super::{blocking, cannot, etag, path};
use crate::error::StoreError;
use crate::object::{Get, Meta, Object, ObjectBody};

/// Up to how many bytes are read at once, and how many a piece of a longer body has.
const AT_ONCE: u64 = 64 * 1024;
const PIECE: u64 = 256 * 1024;

pub(super) fn get(root: &Path, key: &Key, get: &Get) -> Result<Object, StoreError> {
    let (file, meta) = open(root, key)?;
    let (start, end) = get.select(key, &meta)?;
    let body = if end - start <= AT_ONCE {
        ObjectBody::Bytes(piece(&file, key, start, end)?)
    } else {
        ObjectBody::Stream(pieces(file, key.clone(), start, end))
    };
    Ok(Object { meta, body })
}

/// The open file of an object. Its size and time are read from what is open, so they belong to its bytes
/// even when the object is replaced meanwhile.
pub(super) fn open(root: &Path, key: &Key) -> Result<(File, Meta), StoreError> {
    let path = path(root, key).ok_or_else(|| StoreError::NotFound(key.to_string()))?;
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
    match opened {
        Ok((metadata, file)) if metadata.is_file() => {
            Ok((file, Meta { bytes: metadata.len(), etag: etag(&metadata), content_type: None }))
        }
        Ok(_) => Err(StoreError::NotFound(key.to_string())),
        Err(error) if cannot_exist(&error) => Err(StoreError::NotFound(key.to_string())),
        Err(error) => Err(cannot("read", &path, error)),
    }
}

/// Whether an error says that there is no such file: also because a parent is a file, or because the file
/// system has no names that long.
pub(super) fn cannot_exist(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

fn pieces(file: File, key: Key, start: u64, end: u64) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let source = Arc::new((file, key));
    stream::try_unfold(start, move |start| {
        let source = Arc::clone(&source);
        async move {
            if start == end {
                return Ok(None);
            }
            let stop = end.min(start + PIECE);
            let bytes = blocking(move || piece(&source.0, &source.1, start, stop)).await?;
            Ok(Some((bytes, stop)))
        }
    })
    .boxed()
}

fn piece(file: &File, key: &Key, start: u64, end: u64) -> Result<Bytes, StoreError> {
    let mut bytes = vec![0; usize::try_from(end - start).expect("a piece fits into memory")];
    file.read_exact_at(&mut bytes, start)
        .map_err(|error| StoreError::unavailable(format!("cannot read all of `{key}`"), error))?;
    Ok(bytes.into())
}
