//! Who may be told why we answer as we do: whoever brings a grant of the upload service for this host.

use std::sync::Arc;
use std::time::Duration;

use gitdeploy_core::grant::HEADER;
use gitdeploy_core::{Grant, GrantKey, keys};
use http::header::{HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::request::Parts;
use jiff::Timestamp;

use crate::cached::{Cached, Loaded};
use crate::fault::Fault;
use crate::host::{self, Domain};
use crate::origin::{Origin, Record};

const EXPLAIN: HeaderName = HeaderName::from_static(HEADER);

/// How long the key is taken for granted: so long it takes to take all grants back by removing it.
const FRESH: Duration = Duration::from_mins(1);

/// How long it is known that there is no key, or that it cannot be had. Whatever visitors send, the store is not asked
/// more often.
const ABSENT: Duration = Duration::from_secs(2);

/// What the cache of one key may weigh.
const CAPACITY: u64 = 4 << 10;

/// Tells true grants from others.
pub(crate) struct Grants {
    origin: Origin,
    key: Arc<Cached<(), Option<GrantKey>>>,
}

impl Grants {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, key: Cached::new(CAPACITY, CAPACITY, CAPACITY) }
    }

    /// Whether a request has a true grant for its host. Then the answer will not be that its sender has it already: a
    /// cache on the way that asks so would file the explanation with its copy (RFC 9111 §4.3.4).
    ///
    /// A request with no grant, or an untrue one, is one like any other: nobody learns here what is wrong with it.
    pub(crate) async fn admit(&self, request: &mut Parts, domain: &Domain) -> bool {
        let Some(text) = request.headers.get(EXPLAIN) else { return false };
        let grant = text.to_str().ok().and_then(|text| Grant::read(text, Timestamp::now()));
        let Some(grant) = grant else { return false };
        let Ok(host) = host::asked(&request.uri, &request.headers, domain) else { return false };
        // Boxed, so that only those who ask carry it.
        let key = Box::pin(self.key.get(&(), |known| load(self.origin.clone(), known.flatten()))).await;
        let is_true = key.ok().flatten().is_some_and(|key| key.has_sealed(&grant, &host.text));
        if is_true {
            request.headers.remove(IF_NONE_MATCH);
            request.headers.remove(IF_MODIFIED_SINCE);
        }
        is_true
    }
}

/// The key as it is now; when it cannot be had, the one that was known.
async fn load(origin: Origin, known: Option<GrantKey>) -> Result<Loaded<Option<GrantKey>>, Fault> {
    let (key, fresh) = match origin.record(&keys::grant_key(), None).await {
        Ok(Record::Read(_, bytes)) => (GrantKey::read(&bytes), FRESH),
        Ok(Record::Absent | Record::Unchanged) => (None, ABSENT),
        Err(fault) => {
            tracing::warn!(%fault, "cannot read what grants are sealed with");
            (known, ABSENT)
        }
    };
    Ok(match key {
        Some(key) => Loaded::for_now(Some(key), GrantKey::BYTES, fresh),
        None => Loaded::absence(None, ABSENT),
    })
}
