use std::future;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn cached() -> Arc<Cached<&'static str, u32>> {
    Cached::new(1 << 20, 1 << 10, 1 << 10)
}

fn fault() -> Fault {
    Fault::Timeout(SECOND)
}

async fn get(cached: &Arc<Cached<&'static str, u32>>, loads: Result<u32, Fault>) -> Option<u32> {
    let load = move |_| future::ready(loads.map(|value| Loaded::for_now(value, 0, SECOND)));
    cached.get(&"key", load).await.ok()
}

#[tokio::test]
async fn a_thousand_visitors_make_one_load() {
    let cached = cached();
    let (loads, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let visitors: Vec<_> = (0..1000)
        .map(|_| {
            let (cached, loads, gate) = (Arc::clone(&cached), Arc::clone(&loads), Arc::clone(&gate));
            let load = move |_| async move {
                loads.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok(Loaded::for_ever(7, 0))
            };
            tokio::spawn(async move { cached.get(&"key", load).await.unwrap() })
        })
        .collect();
    tokio::task::yield_now().await;
    gate.add_permits(1);
    for visitor in visitors {
        assert_eq!(visitor.await.unwrap(), 7);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_load_outlives_the_visitor_who_began_it() {
    let cached = cached();
    let gate = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&gate);
    let first = tokio::spawn({
        let cached = Arc::clone(&cached);
        async move {
            let load = |_| async move {
                inside.acquire().await.unwrap().forget();
                Ok(Loaded::for_ever(1, 0))
            };
            cached.get(&"key", load).await
        }
    });
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    assert_eq!(get(&cached, Ok(2)).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_value_is_loaded_anew_when_it_is_no_longer_fresh() {
    let cached = cached();
    assert_eq!(get(&cached, Ok(1)).await, Some(1));
    assert_eq!(get(&cached, Ok(2)).await, Some(1));
    tokio::time::advance(SECOND).await;
    assert_eq!(get(&cached, Ok(3)).await, Some(1), "nobody waits for what was fresh a moment ago");
    tokio::task::yield_now().await;
    assert_eq!(get(&cached, Ok(4)).await, Some(3));
    tokio::time::advance(SECOND + MEANWHILE).await;
    assert_eq!(get(&cached, Ok(5)).await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_value_of_which_we_would_be_told_is_fresh_for_longer() {
    let (cached, hearing) = (cached(), crate::hearing::Hearing::default());
    let get = async |loads: u32| {
        let promise = hearing.now();
        let load = move |_| {
            let loaded = Loaded::for_now(loads, 0, SECOND).or_while_told(promise, SECOND * 60);
            future::ready(Ok(loaded))
        };
        cached.get(&"key", load).await.unwrap()
    };
    hearing.begin();
    assert_eq!(get(1).await, 1);
    tokio::time::advance(SECOND * 59).await;
    assert_eq!(get(2).await, 1);
    tokio::time::advance(STALE / 2).await;
    assert_eq!(get(3).await, 1, "nobody waits while it is looked after");
    tokio::task::yield_now().await;
    assert_eq!(get(4).await, 3);
    tokio::time::advance(STALE).await;
    assert_eq!(get(5).await, 5, "not for ever");
    cached.invalidate(&"key");
    assert_eq!(get(6).await, 6, "we were told");
    hearing.end();
    tokio::time::advance(SECOND + MEANWHILE).await;
    assert_eq!(get(7).await, 7, "nobody tells us any more");
    hearing.begin();
    tokio::time::advance(SECOND + MEANWHILE).await;
    assert_eq!(get(8).await, 8, "it may have changed while nobody told us");
}

#[tokio::test(start_paused = true)]
async fn what_is_known_to_be_old_is_asked_for_until_it_is_loaded() {
    let (cached, hearing) = (cached(), crate::hearing::Hearing::default());
    hearing.begin();
    let promise = hearing.now();
    let load = move |_| future::ready(Ok(Loaded::for_now(1, 0, SECOND).or_while_told(promise, SECOND * 60)));
    assert_eq!(cached.get(&"key", load).await.unwrap(), 1);
    cached.invalidate(&"key");
    assert_eq!(get(&cached, Err(fault())).await, Some(1), "there is nothing newer to be had");
    tokio::time::advance(RETRY).await;
    assert_eq!(get(&cached, Ok(2)).await, Some(1));
    tokio::task::yield_now().await;
    assert_eq!(get(&cached, Ok(3)).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn an_older_value_stands_in_for_one_that_cannot_be_loaded() {
    let cached = cached();
    assert_eq!(get(&cached, Ok(1)).await, Some(1));
    tokio::time::advance(STALE / 2).await;
    assert_eq!(get(&cached, Err(fault())).await, Some(1));
    assert_eq!(get(&cached, Ok(2)).await, Some(1), "there is no second try at once");
    tokio::time::advance(STALE / 2).await;
    assert_eq!(get(&cached, Err(fault())).await, None, "it is too old");
}

#[tokio::test(start_paused = true)]
async fn an_older_value_stands_in_while_a_load_hangs() {
    let cached = cached();
    assert_eq!(get(&cached, Ok(1)).await, Some(1));
    tokio::time::advance(SECOND + MEANWHILE).await;
    let hangs = |_| future::pending();
    let begin = Instant::now();
    assert_eq!(cached.get(&"key", hangs).await.unwrap(), 1);
    assert_eq!(begin.elapsed(), PATIENCE);
    assert_eq!(cached.get(&"key", hangs).await.unwrap(), 1);
    assert_eq!(begin.elapsed(), PATIENCE, "the second visitor does not wait at all");
}

#[tokio::test(start_paused = true)]
async fn an_absence_never_stands_in() {
    let cached = cached();
    let absent = |_| future::ready(Ok(Loaded::absence(0, SECOND)));
    assert_eq!(cached.get(&"key", absent).await.unwrap(), 0);
    assert_eq!(get(&cached, Ok(1)).await, Some(0));
    tokio::time::advance(SECOND).await;
    assert_eq!(get(&cached, Err(fault())).await, None);
    assert_eq!(get(&cached, Ok(2)).await, Some(2));
}

#[tokio::test]
async fn invalidation_also_holds_for_a_load_under_way() {
    let cached = cached();
    let gate = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&gate);
    let early = tokio::spawn({
        let cached = Arc::clone(&cached);
        async move {
            let load = |_| async move {
                inside.acquire().await.unwrap().forget();
                Ok(Loaded::for_ever(1, 0))
            };
            cached.get(&"key", load).await.unwrap()
        }
    });
    tokio::task::yield_now().await;
    cached.invalidate(&"key");
    assert_eq!(get(&cached, Ok(2)).await, Some(2));
    gate.add_permits(1);
    assert_eq!(early.await.unwrap(), 1);
    assert_eq!(get(&cached, Ok(3)).await, Some(2), "what the old load brought is not kept");
    cached.invalidate(&"key");
    assert_eq!(get(&cached, Ok(4)).await, Some(4));
}

#[tokio::test]
async fn a_load_that_panics_is_a_fault_and_can_be_tried_again() {
    let cached = cached();
    let panics = |_| async { panic!("on purpose") };
    assert!(cached.get(&"key", panics).await.is_err());
    assert_eq!(get(&cached, Ok(1)).await, Some(1));
}

/// Keeps values of these weights, each under its place.
async fn keep(cached: &Arc<Cached<usize, u32>>, weights: impl IntoIterator<Item = usize>) {
    for (key, weight) in weights.into_iter().enumerate() {
        let load = move |_| future::ready(Ok(Loaded::for_ever(1, weight)));
        assert_eq!(cached.get(&key, load).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn values_weigh_no_more_than_the_capacity() {
    let capacity = 1 << 20;
    let cached = Cached::new(capacity, 1 << 10, 1 << 12);
    keep(&cached, (0..10_000).map(|number| number % 4096)).await;
    let (weight, values) = cached.held();
    assert!(weight <= capacity && weight > capacity * 3 / 4, "{weight}");
    assert!(values < 10_000, "{values}");
}

#[tokio::test]
async fn the_heaviest_values_are_kept_too() {
    let heaviest = 1 << 16;
    for capacity in [1 << 17, 1 << 20, 1 << 24] {
        let cached = Cached::new(capacity, 1 << 10, heaviest);
        keep(&cached, [(1 << 16) - 512]).await;
        assert_eq!(cached.held(), (heaviest, 1), "{capacity}");
    }
    let cached = Cached::new(1 << 20, 1 << 10, 1 << 20);
    keep(&cached, [900 << 10, 8 << 20]).await;
    assert_eq!(cached.held().1, 1, "what is heavier than all is not kept, and pushes nothing out");
}
