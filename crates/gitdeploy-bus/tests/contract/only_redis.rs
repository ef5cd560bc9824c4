//! What only Redis can do: go away, come back empty, hang, lose messages, and refuse a login.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use gitdeploy_bus::{BusConfig, BusError, RouteNews};
use gitdeploy_core::Attempt;
use gitdeploy_test::redis::{RedisServer, Reply};

use crate::support::{batch, ended_batch, id, next_seqs, open, position, seqs, soon, try_open};

/// What a builder on AWS may do.
const WRITER: &str = "resetkeys ~events:a resetchannels &logs:a -@all +xadd +publish +expire";

#[tokio::test]
async fn a_plain_subscriber_hears_each_batch_as_lines_of_json() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    let mut subscriber = server.subscribe("logs:a");
    bus.publish(&id("a"), &batch(1, 1..=2)).await.unwrap();
    bus.publish(&id("a"), &batch(1, 1..=2)).await.unwrap();
    bus.publish(&id("a"), &ended_batch(1, 3..=3)).await.unwrap();
    let mut next = || subscriber.next(Duration::from_secs(30)).unwrap();
    assert_eq!(next(), batch(1, 1..=2).to_ndjson());
    assert_eq!(
        next(),
        "{\"seq\":3,\"at\":1795219200123,\"kind\":\"end\",\"state\":\"ready\",\"files\":1,\"bytes\":2}\n"
    );
}

#[tokio::test]
async fn the_stream_has_an_entry_per_batch_and_goes_after_a_week() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    bus.publish(&id("a"), &batch(7, 1..=2)).await.unwrap();
    bus.publish(&id("a"), &batch(7, 3..=9)).await.unwrap();
    let text = |text: &str| Reply::Text(text.to_owned());
    let entry = |at: &str, events: String| {
        Reply::List(vec![text(at), Reply::List(vec![text("events"), Reply::Text(events)])])
    };
    assert_eq!(
        server.command(&["XRANGE", "events:a", "-", "+"]),
        Reply::List(vec![
            entry("7-2", batch(7, 1..=2).to_ndjson()),
            entry("7-9", batch(7, 3..=9).to_ndjson())
        ])
    );
    let Reply::Integer(seconds) = server.command(&["TTL", "events:a"]) else { panic!("no number") };
    assert!((604_000..=604_800).contains(&seconds), "{seconds}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_may_only_write_publishes_and_is_told_when_it_is_stale() {
    let mut server = RedisServer::start();
    server.add_user("builder", "secret", WRITER);
    let writer = open(&server.url_of("builder", "secret")).await;
    writer.check().await.unwrap();
    for _ in 0..2 {
        writer.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    }
    let reader = tokio::spawn(seqs(open(&server.url()).await.follow(&id("a"), None)));
    writer.publish(&id("a"), &ended_batch(1, 4..=4)).await.unwrap();
    assert_eq!(reader.await.unwrap(), [1, 2, 3, 4]);

    let newer = open(&server.url()).await;
    newer.publish(&id("a"), &batch(2, 1..=1)).await.unwrap();
    let error = writer.publish(&id("a"), &batch(1, 5..=5)).await.unwrap_err();
    assert!(matches!(error, BusError::Stale(Attempt(1))), "{error}");

    let error = writer.publish(&id("b"), &batch(1, 1..=1)).await.unwrap_err();
    assert!(matches!(error, BusError::Denied { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_login_is_refused_and_not_shown() {
    let mut server = RedisServer::start();
    server.add_user("builder", "secret", WRITER);
    let error = try_open(&server.url_of("builder", "hunter2")).await.unwrap_err();
    assert!(matches!(error, BusError::Denied { .. }), "{error:?}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(
        error.to_string(),
        format!("the bus refuses access: cannot reach Redis at 127.0.0.1:{}", server.port())
    );
    let bus = open(&server.url_of("builder", "secret")).await;
    let shown = format!("{} {bus:?}", bus.describe());
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(bus.describe(), format!("Redis at 127.0.0.1:{}", server.port()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_fills_what_no_message_told_it_of() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    let mut reader = bus.follow(&id("a"), None);
    bus.publish(&id("a"), &batch(1, 1..=2)).await.unwrap();
    assert_eq!(next_seqs(&mut reader, 2).await, [1, 2]);
    server.command(&["XADD", "events:a", "1-5", "events", &batch(1, 3..=5).to_ndjson()]);
    bus.publish(&id("a"), &ended_batch(1, 6..=7)).await.unwrap();
    assert_eq!(seqs(reader).await, [3, 4, 5, 6, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_whose_subscription_is_lost_looks_again() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    let mut reader = bus.follow(&id("a"), None);
    bus.publish(&id("a"), &batch(1, 1..=2)).await.unwrap();
    assert_eq!(next_seqs(&mut reader, 2).await, [1, 2]);
    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    server.command(&["XADD", "events:a", "1-3", "events", &ended_batch(1, 3..=3).to_ndjson()]);
    assert_eq!(seqs(reader).await, [3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readers_of_a_process_share_a_connection_and_leave_nothing_behind() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    bus.publish(&id("a"), &batch(1, 1..=1)).await.unwrap();
    let mut readers: Vec<_> = (0..20).map(|_| bus.follow(&id("a"), None)).collect();
    join_all(readers.iter_mut().map(|reader| soon(reader.next()))).await;
    let subscribed = async |expected: i64| loop {
        let channel = Reply::Text("logs:a".to_owned());
        let found = server.command(&["PUBSUB", "NUMSUB", "logs:a"]);
        if found == Reply::List(vec![channel, Reply::Integer(expected)]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    soon(subscribed(1)).await;
    drop(readers);
    soon(subscribed(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_after_redis_came_back_empty() {
    let mut server = RedisServer::start();
    let bus = open(&server.url()).await;
    let mut reader = bus.follow(&id("a"), None);
    bus.publish(&id("a"), &batch(1, 1..=4)).await.unwrap();
    assert_eq!(next_seqs(&mut reader, 4).await, [1, 2, 3, 4]);
    server.stop();
    let reader = tokio::spawn(seqs(reader));
    let error = soon(bus.publish(&id("a"), &batch(1, 5..=5))).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    server.restart();
    let publish = async |batch| {
        while let Err(error) = bus.publish(&id("a"), &batch).await {
            assert!(error.is_transient(), "{error}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(publish(batch(1, 3..=5))).await;
    soon(publish(batch(1, 6..=6))).await;
    soon(publish(ended_batch(1, 7..=7))).await;
    assert_eq!(reader.await.unwrap(), [5, 6, 7]);
}

#[tokio::test]
async fn publishing_while_redis_is_away_fails_soon_and_works_at_once_when_it_is_back() {
    let mut server = RedisServer::start();
    let bus = open(&server.url()).await;
    server.stop();
    for _ in 0..2 {
        let error = soon(bus.publish(&id("a"), &batch(1, 1..=1))).await.unwrap_err();
        assert_eq!(error.to_string(), "the bus is unavailable: cannot publish events of a");
        assert!(matches!(error, BusError::Unavailable { .. }), "{error:?}");
        assert!(soon(bus.check()).await.unwrap_err().is_transient());
    }
    server.restart();
    bus.publish(&id("a"), &ended_batch(1, 1..=1)).await.unwrap();
    assert_eq!(seqs(bus.follow(&id("a"), None)).await, [1]);
}

#[tokio::test]
async fn publishing_while_redis_hangs_fails_and_may_be_repeated() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    bus.publish(&id("a"), &batch(1, 1..=1)).await.unwrap();
    let mut subscriber = server.subscribe("logs:a");
    server.hang();
    let error = soon(bus.publish(&id("a"), &ended_batch(1, 2..=2))).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    server.unhang();
    bus.publish(&id("a"), &ended_batch(1, 2..=2)).await.unwrap();
    // Redis may have taken the first one after all; then its message is still owed, once.
    assert_eq!(subscriber.next(Duration::from_secs(30)), Some(ended_batch(1, 2..=2).to_ndjson()));
    assert_eq!(seqs(bus.follow(&id("a"), None)).await, [1, 2]);
    assert_eq!(subscriber.next(Duration::from_millis(1)), None);
}

#[tokio::test]
async fn entries_that_cannot_be_read_do_not_stop_a_reader() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    server.command(&["XADD", "events:a", "1-1", "colour", "red"]);
    server.command(&["XADD", "events:a", "1-2", "events", "nonsense\n"]);
    let later = "{\"seq\":4,\"at\":0,\"kind\":\"of a later version\"}\n";
    server.command(&["XADD", "events:a", "1-4", "events", &(batch(1, 3..=3).to_ndjson() + later)]);
    let mut reader = bus.follow(&id("a"), None);
    assert_eq!(next_seqs(&mut reader, 1).await, [3]);
    bus.publish(&id("a"), &ended_batch(1, 5..=5)).await.unwrap();
    assert_eq!(seqs(reader).await, [5]);
}

#[tokio::test]
async fn a_replay_of_many_entries_is_whole() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    for seq in 1..=1000 {
        bus.publish(&id("a"), &batch(1, seq..=seq)).await.unwrap();
    }
    bus.publish(&id("a"), &ended_batch(2, 1..=3)).await.unwrap();
    assert_eq!(seqs(bus.follow(&id("a"), None)).await, [1, 2, 3]);
    assert_eq!(seqs(bus.follow(&id("a"), Some(position(1, 10)))).await, [1, 2, 3]);
    for seq in 1..=1000 {
        bus.publish(&id("b"), &batch(1, seq..=seq)).await.unwrap();
    }
    bus.publish(&id("b"), &ended_batch(1, 1001..=1001)).await.unwrap();
    assert_eq!(seqs(bus.follow(&id("b"), None)).await, (1..=1001).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_without_tls_fails_a_connection_with_tls() {
    let server = RedisServer::start();
    let error = try_open(&server.url().replace("redis://", "rediss://")).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_unavailable() {
    let mut server = RedisServer::start();
    server.stop();
    let error = try_open(&server.url_of("builder", "hunter2")).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_showing_it() {
    let error = try_open("hunter2").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the address of Redis is not usable: it must look like `redis://host:6379`, or `rediss://host:6379` with TLS"
    );
    let settings = serde_json::json!({ "redis_url": "http://user:hunter2@host" });
    let error = serde_json::from_value::<BusConfig>(settings).unwrap_err();
    assert_eq!(error.to_string(), "it must look like `redis://host:6379`, or `rediss://host:6379` with TLS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_routes_is_told_when_news_may_be_missed() {
    let mut server = RedisServer::start();
    let bus = open(&server.url()).await;
    let mut follower = bus.follow_routes();
    assert_eq!(soon(follower.next()).await, Some(RouteNews::Listening));
    server.stop();
    assert_eq!(soon(follower.next()).await, Some(RouteNews::Deaf));
    server.restart();
    assert_eq!(soon(follower.next()).await, Some(RouteNews::Listening));
    server.hang();
    assert_eq!(soon(follower.next()).await, Some(RouteNews::Deaf), "a peer that says nothing is asked");
    server.unhang();
    assert_eq!(soon(follower.next()).await, Some(RouteNews::Listening));
    bus.announce("blog").await.unwrap();
    assert_eq!(soon(follower.next()).await, Some(RouteNews::Moved("blog".to_owned())));
}
