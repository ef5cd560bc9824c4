//! Values that are loaded once for everybody who waits for them, and kept.
//!
//! A load is a task of its own: it goes on, for the others and for the next visitor, when whoever asked first
//! goes away. A value that was good goes on being served for a while when it cannot be loaded anew.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use foldhash::fast::RandomState;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use tokio::time::Instant;

use crate::account::Source;
use crate::fault::Fault;
use crate::hearing::Promise;

/// How long a visitor waits for a value to be loaded anew while an older one is there.
const PATIENCE: Duration = Duration::from_millis(250);

/// For how long after it was fresh a value is served at once, while a newer one is loaded.
const MEANWHILE: Duration = Duration::from_secs(3);

/// How long an older value is served without another try after a load has failed.
const RETRY: Duration = Duration::from_secs(1);

/// How long an older value may stand in for one that cannot be loaded.
const STALE: Duration = Duration::from_hours(1);

/// Values by key, up to a total weight.
pub(crate) struct Cached<K, V> {
    /// The hash is keyed, so that nobody can name hosts that collide, and quick.
    kept: Cache<K, Arc<Kept<V>>, Weights, RandomState>,
    flights: Mutex<Flights<K, V>>,
}

/// A value and how it may be kept.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<V> {
    value: V,
    weight: u32,
    fresh: Freshness,
    told: Option<Told>,
    may_be_stale: bool,
}

/// That a value is fresh for longer, as long as we would be told of its change.
#[derive(Debug, Clone)]
struct Told {
    promise: Promise,
    fresh: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Freshness {
    ForEver,
    For(Duration),
}

struct Kept<V> {
    loaded: Loaded<V>,
    since: Instant,
    /// Until when it is served unasked; `None`: for ever.
    fresh_until: Option<Instant>,
    /// Whether somebody said that it is old: then a newer one is waited for.
    outdated: bool,
}

struct Flights<K, V> {
    under_way: HashMap<K, Flight<V>>,
    started: u64,
}

struct Flight<V> {
    number: u64,
    begun: Instant,
    outcome: Shared<BoxFuture<'static, Result<V, Fault>>>,
}

impl<V> Loaded<V> {
    /// A value that never changes.
    pub(crate) fn for_ever(value: V, weight: usize) -> Self {
        Self { value, weight: weigh(weight), fresh: Freshness::ForEver, told: None, may_be_stale: true }
    }

    /// A value that is asked for again after `fresh`, and served for longer if that fails.
    pub(crate) fn for_now(value: V, weight: usize, fresh: Duration) -> Self {
        Self { value, weight: weigh(weight), fresh: Freshness::For(fresh), told: None, may_be_stale: true }
    }

    /// The knowledge that something is not there: never an answer once it has to be asked for again.
    pub(crate) fn absence(value: V, fresh: Duration) -> Self {
        Self { value, weight: weigh(0), fresh: Freshness::For(fresh), told: None, may_be_stale: false }
    }

    /// The same value, which is fresh for longer as long as `promise`, given before it was loaded, holds.
    pub(crate) fn or_while_told(self, promise: Option<Promise>, fresh: Duration) -> Self {
        Self { told: promise.map(|promise| Told { promise, fresh }), ..self }
    }
}

impl<K, V> Cached<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty cache for values of a total weight of `capacity`, most of which weigh about `typical`, and none more
    /// than `heaviest`.
    pub(crate) fn new(capacity: u64, typical: u64, heaviest: u64) -> Arc<Self> {
        let options = OptionsBuilder::new()
            .weight_capacity(capacity)
            .estimated_items_capacity(usize::try_from(capacity / typical).unwrap_or(usize::MAX))
            .shards(shards(capacity, heaviest))
            .build()
            .expect("all that has no default is given");
        let kept = Cache::with_options(options, Weights, RandomState::default(), DefaultLifecycle::default());
        Arc::new(Self { kept, flights: Mutex::new(Flights { under_way: HashMap::new(), started: 0 }) })
    }

    /// How much the values weigh together, and how many there are.
    pub(crate) fn held(&self) -> (u64, u64) {
        (self.kept.weight(), self.kept.len() as u64)
    }

    /// The value for `key`, if it is here and fresh.
    pub(crate) fn ready(&self, key: &K) -> Option<V> {
        self.kept.get(key).filter(|kept| kept.is_fresh()).map(|kept| kept.loaded.value.clone())
    }

    /// The value for `key`, which `load` loads if it must; `load` is given the older value if there is one.
    pub(crate) async fn get<F>(
        self: &Arc<Self>,
        key: &K,
        load: impl FnOnce(Option<V>) -> F,
    ) -> Result<V, Fault>
    where
        F: Future<Output = Result<Loaded<V>, Fault>> + Send + 'static,
    {
        Ok(self.get_told(key, load).await?.0)
    }

    /// The same, and where the value came from.
    pub(crate) async fn get_told<F>(
        self: &Arc<Self>,
        key: &K,
        load: impl FnOnce(Option<V>) -> F,
    ) -> Result<(V, Source), Fault>
    where
        F: Future<Output = Result<Loaded<V>, Fault>> + Send + 'static,
    {
        let kept = self.kept.get(key);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_fresh()) {
            return Ok((kept.loaded.value.clone(), Source::Memory));
        }
        // Boxed: whoever finds the value here carries no room for the wait.
        Box::pin(self.wait(key, kept, load)).await
    }

    /// A newer value than `kept`, or that one where it may stand in for a newer one.
    async fn wait<F>(
        self: &Arc<Self>,
        key: &K,
        kept: Option<Arc<Kept<V>>>,
        load: impl FnOnce(Option<V>) -> F,
    ) -> Result<(V, Source), Fault>
    where
        F: Future<Output = Result<Loaded<V>, Fault>> + Send + 'static,
    {
        let (begun, outcome) = match self.join(key, load) {
            Joined::Arrived(value) => return Ok((value, Source::Memory)),
            Joined::UnderWay { begun, outcome } => (begun, outcome),
        };
        let Some(older) = kept.filter(|kept| kept.may_stand_in()) else {
            return Ok((outcome.await?, Source::Store));
        };
        if older.serves_meanwhile() {
            return Ok((older.loaded.value.clone(), Source::Stale));
        }
        let outcome = if older.outdated {
            outcome.await
        } else {
            match tokio::time::timeout_at(begun + PATIENCE, outcome).await {
                Ok(outcome) => outcome,
                Err(_) => return Ok((older.loaded.value.clone(), Source::Stale)),
            }
        };
        Ok(outcome
            .map_or_else(|_| (older.loaded.value.clone(), Source::Stale), |value| (value, Source::Store)))
    }

    /// Makes the next caller wait for a newer value. A load that began before counts as old, too.
    pub(crate) fn invalidate(&self, key: &K) {
        let mut flights = self.flights();
        flights.under_way.remove(key);
        if let Some(kept) = self.kept.get(key) {
            self.kept.insert(key.clone(), Arc::new(kept.until(Instant::now(), true)));
        }
    }

    fn join<F>(self: &Arc<Self>, key: &K, load: impl FnOnce(Option<V>) -> F) -> Joined<V>
    where
        F: Future<Output = Result<Loaded<V>, Fault>> + Send + 'static,
    {
        let mut flights = self.flights();
        let kept = self.kept.get(key);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_fresh()) {
            return Joined::Arrived(kept.loaded.value.clone());
        }
        if let Some(Flight { begun, outcome, .. }) = flights.under_way.get(key) {
            return Joined::UnderWay { begun: *begun, outcome: outcome.clone() };
        }
        flights.started += 1;
        let landing = Landing { cached: Arc::clone(self), key: key.clone(), number: flights.started };
        let load = load(kept.map(|kept| kept.loaded.value.clone()));
        let task = tokio::spawn(async move {
            let outcome = load.await;
            landing.land(&outcome);
            outcome.map(|loaded| loaded.value)
        });
        let outcome = task
            .map(|ended| {
                ended.unwrap_or_else(|_| Err(Fault::Damaged("loading from the store panicked".to_owned())))
            })
            .boxed()
            .shared();
        let begun = Instant::now();
        let flight = Flight { number: flights.started, begun, outcome: outcome.clone() };
        flights.under_way.insert(key.clone(), flight);
        Joined::UnderWay { begun, outcome }
    }

    fn flights(&self) -> MutexGuard<'_, Flights<K, V>> {
        self.flights.lock().expect("no panic while locked")
    }
}

enum Joined<V> {
    Arrived(V),
    UnderWay { begun: Instant, outcome: Shared<BoxFuture<'static, Result<V, Fault>>> },
}

/// Ends a load, even if it panics.
struct Landing<K: Hash + Eq, V> {
    cached: Arc<Cached<K, V>>,
    key: K,
    number: u64,
}

impl<K, V> Landing<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn land(&self, outcome: &Result<Loaded<V>, Fault>) {
        let flights = self.cached.flights();
        if flights.under_way.get(&self.key).is_none_or(|flight| flight.number != self.number) {
            return;
        }
        match outcome {
            Ok(loaded) => self.cached.kept.insert(self.key.clone(), Arc::new(Kept::new(loaded.clone()))),
            // Expected while a site is being replaced; the caller reads its manifest again.
            Err(Fault::Outdated(_)) => {}
            Err(fault) => {
                if let Some(older) = self.cached.kept.get(&self.key).filter(|kept| kept.may_stand_in()) {
                    tracing::warn!(%fault, "serving what is known already");
                    let older = older.until(Instant::now() + RETRY, false);
                    self.cached.kept.insert(self.key.clone(), Arc::new(older));
                } else {
                    tracing::warn!(%fault, "cannot load from the store");
                }
            }
        }
    }
}

impl<K: Hash + Eq, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut flights = self.cached.flights.lock().expect("no panic while locked");
        if flights.under_way.get(&self.key).is_some_and(|flight| flight.number == self.number) {
            flights.under_way.remove(&self.key);
        }
    }
}

impl<V> Kept<V> {
    fn new(loaded: Loaded<V>) -> Self {
        let since = Instant::now();
        let fresh_until = match loaded.fresh {
            Freshness::ForEver => None,
            Freshness::For(fresh) => Some(since + fresh),
        };
        Self { loaded, since, fresh_until, outdated: false }
    }

    /// The same value, which is served unasked until then, and no longer because nobody tells of a change: that may have
    /// been told already.
    fn until(&self, until: Instant, outdated: bool) -> Self
    where
        V: Clone,
    {
        let loaded = Loaded { told: None, ..self.loaded.clone() };
        Self { loaded, since: self.since, fresh_until: Some(until), outdated }
    }

    fn is_fresh(&self) -> bool {
        self.fresh_until.is_none_or(|until| Instant::now() < until) || (!self.outdated && self.is_told())
    }

    fn is_told(&self) -> bool {
        let told = self.loaded.told.as_ref();
        told.is_some_and(|told| told.promise.holds() && self.since.elapsed() < told.fresh)
    }

    /// Whether nobody waits for a newer one: it was fresh a moment ago, or we would have been told.
    fn serves_meanwhile(&self) -> bool {
        let was_fresh = self.fresh_until.is_none_or(|until| until.elapsed() < MEANWHILE);
        let is_told = self.loaded.told.as_ref().is_some_and(|told| told.promise.holds());
        !self.outdated && (was_fresh || is_told)
    }

    fn may_stand_in(&self) -> bool {
        self.loaded.may_be_stale && self.since.elapsed() < STALE
    }
}

#[derive(Clone)]
struct Weights;

impl<K, V> Weighter<K, Arc<Kept<V>>> for Weights {
    fn weight(&self, _: &K, kept: &Arc<Kept<V>>) -> u64 {
        kept.loaded.weight.into()
    }
}

/// In how many parts a cache is, each with a lock of its own. A value that is heavier than a part is not kept at all, so
/// that each has room for several of the heaviest.
fn shards(capacity: u64, heaviest: u64) -> usize {
    let most = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    let fitting = usize::try_from(capacity / heaviest.saturating_mul(4).max(1)).unwrap_or(most);
    // The cache would take the next power of two, with too little room in each.
    1 << fitting.clamp(1, most).ilog2()
}

/// What an entry weighs: its content and about what its key and the bookkeeping take.
fn weigh(bytes: usize) -> u32 {
    u32::try_from(bytes.saturating_add(512)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
