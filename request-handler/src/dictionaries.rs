//! Files compressed with what visitors have from an earlier deployment: made on first use, and kept in memory.
//!
//! Why here and not by the builder: `docs/adr/0020-dictionaries-on-first-use.md`.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::Route;
use gitdeploy_core::hash::Sha256;
use tokio::sync::Semaphore;

use crate::account::Account;
use crate::body::Bodies;
use crate::cached::{Cached, Loaded};
use crate::dictionary;
use crate::fault::Fault;
use crate::file::File;
use crate::sites::Sites;

/// How much is kept in memory, in bytes.
const CAPACITY: u64 = 32 << 20;

/// What a file comes to that is compressed with an earlier one, in bytes, about.
const TYPICAL: u64 = 16 << 10;

/// How many files are compressed at the same time. Who comes when they are at work gets an ordinary copy.
const AT_ONCE: usize = 2;

/// How long a visitor waits: about as long as the bytes take that are saved. The work goes on for the next one.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long it is known that a dictionary is of no use.
const USELESS: Duration = Duration::from_mins(10);

/// How long nobody tries again when there was no turn.
const BUSY: Duration = Duration::from_millis(100);

/// What has changed in a file is found at any level; this one takes 50 ms for 500 KB.
const LEVEL: i32 = 12;

/// The windows of zstd, as powers of two. Every visitor takes 8 MiB (RFC 9842 §5).
const WINDOWS: (u32, u32) = (10, 23);

/// Files compressed with dictionaries.
pub(crate) struct Dictionaries(Arc<Inner>);

struct Inner {
    sites: Sites,
    bodies: Bodies,
    /// By the hashes of content and dictionary; nothing where the dictionary is of no use.
    made: Arc<Cached<(Sha256, Sha256), Option<Bytes>>>,
    turns: Semaphore,
}

impl Dictionaries {
    pub(crate) fn new(sites: Sites, bodies: Bodies) -> Self {
        let (made, turns) = (Cached::new(CAPACITY, TYPICAL, dictionary::LARGEST), Semaphore::new(AT_ONCE));
        Self(Arc::new(Inner { sites, bodies, made, turns }))
    }

    /// `file` in `dcz`, if `wanted` is the hash of a file of the route's deployments, and if it pays.
    pub(crate) async fn compressed(
        &self,
        file: &Arc<File>,
        wanted: Sha256,
        route: &Arc<Route>,
    ) -> Option<Bytes> {
        let name = (file.sha256?, wanted);
        if let Some(made) = self.0.made.ready(&name) {
            return made;
        }
        let load = |_| {
            let (inner, file, route) = (Arc::clone(&self.0), Arc::clone(file), Arc::clone(route));
            async move { inner.make(&file, wanted, &route).await }
        };
        match tokio::time::timeout(PATIENCE, self.0.made.get(&name, load)).await {
            Ok(Ok(made)) => made,
            // The ordinary copy is sent, or shows what is the matter with the store.
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

impl Inner {
    async fn make(&self, file: &File, wanted: Sha256, route: &Route) -> Result<Loaded<Option<Bytes>>, Fault> {
        let Ok(_turn) = self.turns.try_acquire() else { return Ok(Loaded::absence(None, BUSY)) };
        let useless = || Ok(Loaded::absence(None, USELESS));
        let Some(dictionary) = self.find(&wanted, route).await? else { return useless() };
        let account = &mut Account::default();
        let earlier = self.bodies.whole(&dictionary.stored, account).await?;
        let content = self.bodies.whole(&file.stored, account).await?;
        let least = file.variants.iter().map(|variant| variant.stored.bytes).min().unwrap_or(u64::MAX);
        let work = move || {
            // A visitor would find out, and load the file again.
            let is_true = Sha256::of(&earlier) == wanted;
            is_true.then(|| compress(&content, &earlier, &wanted)).transpose()
        };
        let made = tokio::task::spawn_blocking(work).await.map_err(io::Error::from).flatten();
        match made.map_err(|error| Fault::Damaged(format!("cannot compress `{}`: {error}", file.path)))? {
            Some(made) if (made.len() as u64) < least => {
                let weight = made.len();
                Ok(Loaded::for_ever(Some(made.into()), weight))
            }
            _ => useless(),
        }
    }

    /// The file of this hash that visitors of the route may have.
    async fn find(&self, wanted: &Sha256, route: &Route) -> Result<Option<Arc<File>>, Fault> {
        for id in route.predecessors.iter().chain([&route.deployment]) {
            let published = self.sites.deployment(id).await?;
            if let Some(file) = published.and_then(|published| published.dictionary(wanted)) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }
}

/// A body in `dcz` (RFC 9842 §5).
fn compress(content: &[u8], dictionary: &[u8], hash: &Sha256) -> io::Result<Vec<u8>> {
    let (least, most) = WINDOWS;
    let together = content.len().saturating_add(dictionary.len()).max(1);
    let head = dictionary::head(hash);
    let mut encoder = zstd::stream::write::Encoder::with_ref_prefix(head, LEVEL, dictionary)?;
    encoder.window_log((together.ilog2() + 1).clamp(least, most))?;
    encoder.set_pledged_src_size(Some(content.len() as u64))?;
    encoder.write_all(content)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn decompressed(body: &[u8], dictionary: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        let mut decoder = zstd::stream::read::Decoder::with_ref_prefix(&body[40..], dictionary).unwrap();
        decoder.read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn what_has_changed_is_all_that_is_sent() {
        let mut state = 1_u64;
        let line = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("const v{:x} = {};\n", state >> 40, state >> 20)
        };
        let earlier: String = (0..20_000).map(line).collect();
        let content = earlier.replacen("const v", "let  w", 1);
        let hash = Sha256::of(earlier.as_bytes());
        let body = compress(content.as_bytes(), earlier.as_bytes(), &hash).unwrap();
        assert!(body.len() < 300, "{} of {} bytes", body.len(), content.len());
        assert_eq!(body[..8], [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0]);
        assert_eq!(&body[8..40], hash.as_bytes());
        assert!(decompressed(&body, earlier.as_bytes()) == content.as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_out_again(
            content in prop::collection::vec(any::<u8>(), 0..2000),
            dictionary in prop::collection::vec(any::<u8>(), 0..2000),
        ) {
            let body = compress(&content, &dictionary, &Sha256::of(&dictionary)).unwrap();
            prop_assert_eq!(decompressed(&body, &dictionary), content);
        }
    }
}
