//! Logins that are lent to one attempt of a build, at a real Redis.

use gitdeploy_bus::{BusConfig, BusError, EventBus};
use gitdeploy_core::Attempt;
use gitdeploy_test::redis::RedisServer;
use secrecy::{ExposeSecret as _, SecretString};

use crate::support::{batch, ended_batch, id, open, position, seqs, soon};

async fn lend(bus: &EventBus, build: &str, attempt: u64) -> Option<String> {
    let password = SecretString::from(format!("password of {build} {attempt}"));
    let url = soon(bus.lend(&id(build), Attempt(attempt), &password)).await.unwrap();
    url.map(|url| url.expose_secret().to_owned())
}

/// What Redis says to a command of whoever has the address.
fn ask(url: &str, command: &[&str]) -> Result<redis::Value, String> {
    let mut connection =
        redis::Client::open(url).unwrap().get_connection().map_err(|error| error.to_string())?;
    let mut built = redis::cmd(command[0]);
    built.arg(&command[1..]).query(&mut connection).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lent_login_publishes_the_events_of_its_build() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    assert!(soon(bus.may_lend()).await.unwrap());
    let mut subscriber = server.subscribe("logs:a");
    let url = lend(&bus, "a", 1).await.unwrap();
    let builder = open(&url).await;
    let reader = bus.follow(&id("a"), None);
    for _ in 0..2 {
        builder.publish(&id("a"), &batch(1, 1..=3)).await.unwrap();
    }
    // Somebody who claims once more, after a lost answer, gets the same, and both go on.
    assert_eq!(lend(&bus, "a", 1).await.unwrap(), url);
    builder.publish(&id("a"), &batch(1, 4..=4)).await.unwrap();
    open(&url).await.publish(&id("a"), &ended_batch(1, 5..=5)).await.unwrap();
    assert_eq!(seqs(reader).await, [1, 2, 3, 4, 5]);
    assert!(subscriber.next(std::time::Duration::from_secs(30)).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lent_login_can_do_nothing_else() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    bus.publish(&id("b"), &batch(1, 1..=1)).await.unwrap();
    bus.publish(&id("a-1"), &batch(1, 1..=1)).await.unwrap();
    let url = lend(&bus, "a", 1).await.unwrap();
    assert!(ask(&url, &["XADD", "events:a", "1-1", "events", "x"]).is_ok());
    for command in [
        &["XADD", "events:b", "9-9", "events", "x"][..],
        &["XADD", "events:a-1", "9-9", "events", "x"],
        &["XADD", "events:", "9-9", "events", "x"],
        &["PUBLISH", "logs:b", "x"],
        &["PUBLISH", "logs:*", "x"],
        &["PUBLISH", "logs:a-1", "x"],
        &["EXPIRE", "events:b", "1"],
        &["SUBSCRIBE", "logs:a"],
        &["XRANGE", "events:a", "-", "+"],
        &["XRANGE", "events:b", "-", "+"],
        &["XREAD", "STREAMS", "events:b", "0"],
        &["DEL", "events:a"],
        &["SET", "events:a", "x"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["SELECT", "1"],
        &["FLUSHALL"],
        &["CONFIG", "GET", "*"],
        &["ACL", "LIST"],
        &["ACL", "SETUSER", "gitdeploy-a-1", "+@all"],
        &["CLIENT", "LIST"],
        &["EVAL", "return 1", "0"],
        &["INFO"],
        &["MONITOR"],
        &["SHUTDOWN"],
    ] {
        let said = ask(&url, command).unwrap_err();
        assert!(said.to_ascii_lowercase().contains("perm"), "{command:?}: {said}");
    }
    assert_eq!(bus.position(&id("b")).await.unwrap(), Some(position(1, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_was_taken_back_is_gone() {
    let server = RedisServer::start();
    let bus = open(&server.url()).await;
    let (first, second) = (lend(&bus, "a", 1).await.unwrap(), lend(&bus, "a", 2).await.unwrap());
    assert_ne!(first, second);
    let builder = open(&first).await;
    builder.publish(&id("a"), &batch(1, 1..=1)).await.unwrap();
    bus.take_back(&id("a"), Attempt(1)).await.unwrap();
    let error = builder.publish(&id("a"), &batch(1, 2..=2)).await.unwrap_err();
    assert!(matches!(error, BusError::Denied { .. }), "{error:?}");
    open(&second).await.publish(&id("a"), &batch(2, 1..=1)).await.unwrap();
    bus.take_back(&id("a"), Attempt(1)).await.unwrap();
    bus.take_back(&id("never"), Attempt(1)).await.unwrap();
    bus.take_back(&id("a"), Attempt(2)).await.unwrap();
    let redis::Value::Array(users) = ask(&server.url(), &["ACL", "USERS"]).unwrap() else {
        panic!("no list")
    };
    assert_eq!(users.len(), 1, "only `default` is left: {users:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lent_address_keeps_what_else_is_said_of_the_server() {
    let mut server = RedisServer::start();
    server.add_user("owner", "hidden", "~* &* +@all");
    let bus = open(&format!("{}/3", server.url_of("owner", "hidden"))).await;
    let url = lend(&bus, "a", 1).await.unwrap();
    assert!(url.starts_with("redis://gitdeploy-a-1:") && url.ends_with("/3"), "{url}");
    assert!(!url.contains("hidden") && !url.contains("owner"), "{url}");
    open(&url).await.publish(&id("a"), &batch(1, 1..=1)).await.unwrap();
    assert_eq!(bus.position(&id("a")).await.unwrap(), Some(position(1, 1)));
}

#[tokio::test]
async fn where_logins_cannot_be_made_there_are_none() {
    let mut server = RedisServer::start();
    server.add_user("owner", "secret", "~* &* +@all -acl");
    let bus = open(&server.url_of("owner", "secret")).await;
    assert!(!soon(bus.may_lend()).await.unwrap());
    assert_eq!(lend(&bus, "a", 1).await, None);
    soon(bus.take_back(&id("a"), Attempt(1))).await.unwrap();

    server.add_user("half", "secret", "~* &* +@all -acl +acl|setuser");
    let half = open(&server.url_of("half", "secret")).await;
    assert!(!soon(half.may_lend()).await.unwrap(), "what cannot be taken back is not lent");

    let memory = EventBus::open(&BusConfig::default()).await.unwrap();
    let error = memory.may_lend().await.unwrap_err();
    assert!(error.to_string().contains("`GITDEPLOY_BUS_REDIS_URL`"), "{error}");
    server.stop();
    assert!(soon(bus.may_lend()).await.unwrap_err().is_transient());
}
