//! News of routes over a real Redis: at once with it, within seconds without.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "support/route.rs"]
mod route;
mod support;

use std::time::Duration;

use bytes::Bytes;
use gitdeploy_bus::{BusConfig, EventBus};
use gitdeploy_core::DeploymentId;
use gitdeploy_store::ObjectStore;
use gitdeploy_test::redis::{RedisServer, Reply};
use http::Request;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use request_handler::{Config, Handler};
use support::publish;
use tokio_util::sync::CancellationToken;

/// Far longer than anything takes, far shorter than a route is taken for granted while we hear of changes.
const SOON: Duration = Duration::from_secs(20);

async fn page(handler: &Handler) -> String {
    let request = Request::get("/").header("host", "blog.localhost").body(String::new()).unwrap();
    let body = handler.answer(request).await.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

/// Waits until a visitor sees `expected`.
async fn shows(handler: &Handler, expected: &str) {
    let seen = async {
        while page(handler).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, seen).await.unwrap_or_else(|_| panic!("`{expected}` is not shown"));
}

/// Moves the route to a new deployment whose page is `content`.
async fn promote(store: &ObjectStore, number: u64, content: &'static str) {
    let id = DeploymentId::new(Timestamp::UNIX_EPOCH, number);
    publish(store, id.as_str(), &[("index.html", Bytes::from_static(content.as_bytes()))]).await;
    route::lead(store, "blog", &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promotions_are_seen_with_redis_without_it_and_with_it_again() {
    let mut server = RedisServer::start();
    let store = ObjectStore::memory();
    let bus = EventBus::open_unasked(&BusConfig { redis_url: Some(server.url().into()) }).unwrap();
    server.stop();
    promote(&store, 1, "one").await;
    let handler = Handler::new(store.clone(), &Config::default());
    let following = handler.clone().follow(bus.follow_routes(), CancellationToken::new());
    tokio::spawn(following);
    shows(&handler, "one").await;
    promote(&store, 2, "two").await;
    shows(&handler, "two").await;

    server.restart();
    let listens = async {
        while server.command(&["PUBLISH", "routes", "nobody"]) != Reply::Integer(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, listens).await.expect("the proxy listens");
    tokio::time::sleep(Duration::from_secs(5)).await;
    shows(&handler, "two").await;
    promote(&store, 3, "three").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(page(&handler).await, "two", "who hears of changes does not ask");
    bus.announce("blog").await.unwrap();
    shows(&handler, "three").await;

    server.stop();
    promote(&store, 4, "four").await;
    shows(&handler, "four").await;
}
