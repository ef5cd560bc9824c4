//! What both buses promise: the same assertions over memory and over a real Redis.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is wrong")]

mod lend;
mod only_redis;
mod support;

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use gitdeploy_bus::{BusError, EventBus, Position, RouteNews};
use gitdeploy_core::Attempt;
use gitdeploy_test::redis::RedisServer;
use tokio::task::JoinSet;

use support::{batch, ended_batch, id, next_seqs, open, position, seqs, soon};

macro_rules! contract {
    ($($name:ident,)+) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::EventBus::memory()).await;
            })+
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let server = super::RedisServer::start();
                super::$name(super::open(&server.url()).await).await;
            })+
        }
    };
}

contract! {
    a_reader_gets_what_was_published_before_it_came_and_then_what_comes,
    a_reader_may_wait_for_a_build_that_has_not_begun,
    a_reader_resumes_after_a_position,
    a_reader_who_saw_the_end_gets_nothing,
    a_reader_who_waits_for_a_newer_attempt_is_not_sent_away_by_an_older_end,
    a_repeat_is_invisible,
    of_an_overlapping_batch_only_the_new_events_are_seen,
    an_older_attempt_is_refused,
    a_newer_attempt_takes_over,
    a_batch_without_events_does_nothing,
    builds_do_not_mix,
    the_position_is_that_of_the_last_event,
    many_readers_that_come_at_any_time_all_see_everything_once,
    a_bus_that_works_says_so,
    who_follows_the_routes_hears_of_all_that_move,
}

async fn a_reader_gets_what_was_published_before_it_came_and_then_what_comes(bus: EventBus) {
    bus.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    bus.publish(&id("a"), &batch(1, 4..=4)).await.unwrap();
    let mut reader = bus.follow(&id("a"), None);
    assert_eq!(next_seqs(&mut reader, 4).await, [1, 2, 3, 4]);
    bus.publish(&id("a"), &batch(1, 5..=6)).await.unwrap();
    assert_eq!(next_seqs(&mut reader, 2).await, [5, 6]);
    bus.publish(&id("a"), &ended_batch(1, 7..=8)).await.unwrap();
    assert_eq!(seqs(reader).await, [7, 8]);
    assert_eq!(seqs(bus.follow(&id("a"), None)).await, [1, 2, 3, 4, 5, 6, 7, 8]);
}

async fn a_reader_may_wait_for_a_build_that_has_not_begun(bus: EventBus) {
    let reader = tokio::spawn(seqs(bus.follow(&id("a"), None)));
    let gone = bus.follow(&id("a"), None);
    drop(gone);
    bus.publish(&id("a"), &batch(1, 1..=2)).await.unwrap();
    bus.publish(&id("a"), &ended_batch(1, 3..=3)).await.unwrap();
    assert_eq!(reader.await.unwrap(), [1, 2, 3]);
}

async fn a_reader_resumes_after_a_position(bus: EventBus) {
    bus.publish(&id("a"), &batch(1, 1..=4)).await.unwrap();
    bus.publish(&id("a"), &batch(1, 5..=8)).await.unwrap();
    bus.publish(&id("a"), &ended_batch(1, 9..=9)).await.unwrap();
    for seen in 0..9 {
        let expected: Vec<u64> = (seen + 1..=9).collect();
        assert_eq!(seqs(bus.follow(&id("a"), Some(position(1, seen)))).await, expected, "after {seen}");
    }
}

async fn a_reader_who_saw_the_end_gets_nothing(bus: EventBus) {
    bus.publish(&id("a"), &ended_batch(1, 1..=4)).await.unwrap();
    assert!(seqs(bus.follow(&id("a"), Some(position(1, 4)))).await.is_empty());
}

async fn a_reader_who_waits_for_a_newer_attempt_is_not_sent_away_by_an_older_end(bus: EventBus) {
    bus.publish(&id("a"), &ended_batch(1, 1..=4)).await.unwrap();
    let reader = tokio::spawn(seqs(bus.follow(&id("a"), Some(position(2, 0)))));
    tokio::task::yield_now().await;
    bus.publish(&id("a"), &ended_batch(2, 1..=2)).await.unwrap();
    assert_eq!(reader.await.unwrap(), [1, 2]);
}

async fn a_repeat_is_invisible(bus: EventBus) {
    let mut reader = bus.follow(&id("a"), None);
    for _ in 0..2 {
        bus.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    }
    assert_eq!(next_seqs(&mut reader, 3).await, [1, 2, 3]);
    bus.publish(&id("a"), &batch(1, 4..=5)).await.unwrap();
    bus.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    bus.publish(&id("a"), &batch(1, 2..=5)).await.unwrap();
    for _ in 0..2 {
        bus.publish(&id("a"), &ended_batch(1, 6..=6)).await.unwrap();
    }
    assert_eq!(seqs(reader).await, [4, 5, 6]);
    assert_eq!(seqs(bus.follow(&id("a"), None)).await, [1, 2, 3, 4, 5, 6]);
}

async fn of_an_overlapping_batch_only_the_new_events_are_seen(bus: EventBus) {
    let mut reader = bus.follow(&id("a"), None);
    bus.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    assert_eq!(next_seqs(&mut reader, 3).await, [1, 2, 3]);
    bus.publish(&id("a"), &batch(1, 2..=5)).await.unwrap();
    bus.publish(&id("a"), &ended_batch(1, 1..=6)).await.unwrap();
    assert_eq!(seqs(reader).await, [4, 5, 6]);
    assert_eq!(seqs(bus.follow(&id("a"), None)).await, [1, 2, 3, 4, 5, 6]);
}

async fn an_older_attempt_is_refused(bus: EventBus) {
    bus.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    bus.publish(&id("a"), &batch(2, 1..=1)).await.unwrap();
    for late in [batch(1, 4..=9), batch(1, 1..=3)] {
        let error = bus.publish(&id("a"), &late).await.unwrap_err();
        assert!(matches!(error, BusError::Stale(Attempt(1))), "{error}");
        assert!(!error.is_transient());
    }
    bus.publish(&id("a"), &ended_batch(2, 2..=2)).await.unwrap();
    assert_eq!(seqs(bus.follow(&id("a"), None)).await, [1, 2]);
}

async fn a_newer_attempt_takes_over(bus: EventBus) {
    bus.publish(&id("a"), &batch(1, 1..=2)).await.unwrap();
    let mut reader = bus.follow(&id("a"), None);
    assert_eq!(next_seqs(&mut reader, 2).await, [1, 2]);
    bus.publish(&id("a"), &batch(1, 3..=3)).await.unwrap();
    bus.publish(&id("a"), &ended_batch(3, 1..=2)).await.unwrap();
    let mut rest = soon(reader.collect::<Vec<_>>()).await;
    let last = rest.pop().unwrap();
    assert_eq!(last, ended_batch(3, 1..=2));
    assert!(rest.iter().all(|batch| batch.attempt == Attempt(1)), "{rest:?}");
    let resumed = soon(bus.follow(&id("a"), Some(position(1, 2))).collect::<Vec<_>>()).await;
    assert_eq!(resumed, [ended_batch(3, 1..=2)]);
}

async fn a_batch_without_events_does_nothing(bus: EventBus) {
    bus.publish(&id("a"), &support::empty_batch(1)).await.unwrap();
    assert_eq!(bus.position(&id("a")).await.unwrap(), None);
}

async fn builds_do_not_mix(bus: EventBus) {
    let reader = tokio::spawn(seqs(bus.follow(&id("a"), None)));
    bus.publish(&id("b"), &ended_batch(1, 1..=9)).await.unwrap();
    bus.publish(&id("a"), &ended_batch(1, 1..=2)).await.unwrap();
    assert_eq!(reader.await.unwrap(), [1, 2]);
}

async fn the_position_is_that_of_the_last_event(bus: EventBus) {
    assert_eq!(bus.position(&id("a")).await.unwrap(), None);
    bus.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    assert_eq!(bus.position(&id("a")).await.unwrap(), Some(position(1, 3)));
    bus.publish(&id("a"), &batch(2, 1..=1)).await.unwrap();
    assert_eq!(bus.position(&id("a")).await.unwrap(), Some(position(2, 1)));
    assert!(position(2, 1) > position(1, 3));
}

async fn many_readers_that_come_at_any_time_all_see_everything_once(bus: EventBus) {
    const LAST: u64 = 5000;
    let everything: Vec<u64> = (1..=LAST).collect();
    let mut readers = JoinSet::new();
    let mut first = 1;
    let mut length = 1;
    while first <= LAST {
        let last = LAST.min(first + length - 1);
        let events = if last == LAST { ended_batch(1, first..=last) } else { batch(1, first..=last) };
        bus.publish(&id("a"), &events).await.unwrap();
        if first % 7 == 0 {
            bus.publish(&id("a"), &events).await.unwrap();
        }
        let after = (length % 3 == 0).then(|| position(1, first / 2));
        let reader = bus.follow(&id("a"), after);
        readers.spawn(async move { (after, seqs(reader).await) });
        if length % 5 == 0 {
            drop(bus.follow(&id("a"), None).next().now_or_never());
        }
        first = last + 1;
        length = length % 61 + 4;
    }
    let mut count = 0;
    while let Some(ended) = readers.join_next().await {
        let (after, seen) = ended.unwrap();
        let start = after.map_or(0, |position: Position| usize::try_from(position.seq).unwrap());
        assert_eq!(seen, everything[start..]);
        count += 1;
    }
    assert!(count > 100);
}

async fn a_bus_that_works_says_so(bus: EventBus) {
    tokio::time::timeout(Duration::from_secs(30), bus.check()).await.unwrap().unwrap();
    assert!(bus.describe() == "memory" || bus.describe().starts_with("Redis at 127.0.0.1:"));
}

async fn who_follows_the_routes_hears_of_all_that_move(bus: EventBus) {
    bus.announce("before").await.unwrap();
    let mut followers = [bus.follow_routes(), bus.follow_routes()];
    for follower in &mut followers {
        assert_eq!(soon(follower.next()).await, Some(RouteNews::Listening));
    }
    bus.announce("blog").await.unwrap();
    bus.announce_any().await.unwrap();
    bus.announce("docs").await.unwrap();
    let moved = |label: &str| RouteNews::Moved(label.to_owned());
    for follower in &mut followers {
        for news in [moved("blog"), RouteNews::Listening, moved("docs")] {
            assert_eq!(soon(follower.next()).await, Some(news));
        }
    }
}
