//! The store behind a real wire: how few requests it gets, and what is served when it fails.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_runtime::section;
use gitdeploy_store::{ObjectStore, StoreConfig};
use gitdeploy_test::s3::{Fault, Operation, S3Server};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use request_handler::{Config, Handler};
use support::publish;

/// A little longer than what may change is served without asking.
const LATER: Duration = Duration::from_millis(4100);

async fn platform() -> (S3Server, ObjectStore, Handler) {
    // No test waits for the store in vain longer than this.
    platform_of(&Config { store_seconds: 2, ..Config::default() }).await
}

async fn platform_of(config: &Config) -> (S3Server, ObjectStore, Handler) {
    let server = S3Server::start().await.unwrap();
    let vars = server.vars();
    let store_config = StoreConfig {
        access: Some(section("AWS_", &vars).unwrap()),
        ..section("GITDEPLOY_STORE_", &vars).unwrap()
    };
    let store = ObjectStore::open(&store_config).await.unwrap();
    let handler = Handler::new(ObjectStore::open_for_reading(&store_config).await.unwrap(), config);
    (server, store, handler)
}

async fn publish_blog(store: &ObjectStore) {
    let page = |text: &'static str| Bytes::from_static(text.as_bytes());
    let files = [
        ("index.html", page("home")),
        ("about.html", page("about")),
        ("big.bin", Bytes::from(vec![7; 12 << 20])),
    ];
    publish(store, "blog", &files).await;
}

/// The status and the body, if it is whole.
async fn get(handler: &Handler, label: &str, path: &str) -> (StatusCode, Option<Bytes>) {
    let request =
        Request::get(path).header("host", format!("{label}.localhost")).body(String::new()).unwrap();
    let response = handler.answer(request).await;
    let status = response.status();
    (status, response.into_body().collect().await.ok().map(http_body_util::Collected::to_bytes))
}

#[tokio::test]
async fn a_thousand_first_visitors_cost_as_much_as_one() {
    let (server, store, handler) = platform().await;
    publish_blog(&store).await;
    server.forget_requests();
    let barrier = Arc::new(tokio::sync::Barrier::new(1000));
    let visitors: Vec<_> = (0..1000)
        .map(|_| {
            let (handler, barrier) = (handler.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                get(&handler, "blog", "/").await
            })
        })
        .collect();
    for visitor in visitors {
        assert_eq!(visitor.await.unwrap(), (StatusCode::OK, Some(Bytes::from_static(b"home"))));
    }
    assert_eq!(server.requests(Operation::GetObject), 3, "the route, the manifest and the file");
    assert_eq!(server.requests(Operation::HeadObject), 0);
}

#[tokio::test]
async fn what_is_known_is_served_while_the_store_is_away() {
    let (server, store, handler) = platform().await;
    publish_blog(&store).await;
    server.insert("__outputs/plain/index.html", "plain", None);
    assert_eq!(get(&handler, "blog", "/").await.0, StatusCode::OK);
    assert_eq!(get(&handler, "plain", "/").await.0, StatusCode::OK);
    assert_eq!(get(&handler, "plain", "/nope").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&handler, "nobody", "/").await.0, StatusCode::NOT_FOUND);

    server.stop().await;
    tokio::time::sleep(LATER).await;
    assert_eq!(get(&handler, "blog", "/").await, (StatusCode::OK, Some(Bytes::from_static(b"home"))));
    assert_eq!(get(&handler, "blog", "/index.html").await.0, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(get(&handler, "blog", "/nope.js").await.0, StatusCode::NOT_FOUND, "the manifest says so");
    assert_eq!(get(&handler, "plain", "/").await, (StatusCode::OK, Some(Bytes::from_static(b"plain"))));
    assert_eq!(
        get(&handler, "blog", "/about").await.0,
        StatusCode::BAD_GATEWAY,
        "it was not asked for before"
    );
    assert_eq!(get(&handler, "plain", "/nope").await.0, StatusCode::BAD_GATEWAY, "it may be there now");
    assert_eq!(get(&handler, "nobody", "/").await.0, StatusCode::BAD_GATEWAY, "it may be there now");
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let (server, store, handler) = platform().await;
    publish_blog(&store).await;
    server.fail(Operation::GetObject, Fault::Status(403), 1);
    assert_eq!(get(&handler, "blog", "/").await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(get(&handler, "blog", "/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_a_short_success() {
    let (server, store, handler) = platform().await;
    publish_blog(&store).await;
    assert_eq!(get(&handler, "blog", "/").await.0, StatusCode::OK);
    server.fail(Operation::GetObject, Fault::ShortBody, usize::MAX);
    let (_, body) = get(&handler, "blog", "/big.bin").await;
    assert_eq!(body, None);
    server.clear_faults();
    let (status, body) = get(&handler, "blog", "/big.bin").await;
    assert_eq!((status, body.unwrap().len()), (StatusCode::OK, 12 << 20));
}

#[tokio::test]
async fn a_part_of_a_large_file_is_asked_for_as_a_part() {
    let (server, store, handler) = platform().await;
    publish_blog(&store).await;
    let request = Request::get("/big.bin")
        .header("host", "blog.localhost")
        .header("range", "bytes=1000000-1000003")
        .body(String::new())
        .unwrap();
    server.forget_requests();
    let response = handler.answer(request).await;
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, Bytes::from_static(&[7; 4]));
    assert_eq!(server.requests(Operation::GetObject), 3);
}

/// A fault of every request to the store, and what a visitor sees of a file that is not in memory.
async fn goes_on_through(fault: Fault, seen: StatusCode) {
    let (server, store, handler) = platform().await;
    publish_blog(&store).await;
    publish(&store, "docs", &[("index.html", Bytes::from_static(b"docs"))]).await;
    assert_eq!(get(&handler, "blog", "/").await.0, StatusCode::OK);
    for operation in [Operation::GetObject, Operation::HeadObject] {
        server.fail(operation, fault.clone(), usize::MAX);
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(get(&handler, "blog", "/").await, (StatusCode::OK, Some(Bytes::from_static(b"home"))));
        assert_eq!(get(&handler, "blog", "/nope.js").await.0, StatusCode::NOT_FOUND, "the manifest says so");
        assert_eq!(get(&handler, "blog", "/about.html").await.0, StatusCode::PERMANENT_REDIRECT);
        assert_eq!(get(&handler, "blog", "/about").await.0, seen, "a file that is not in memory");
        assert_eq!(get(&handler, "docs", "/").await.0, seen, "a site that nobody has visited");
        if !matches!(fault, Fault::ShortBody | Fault::StalledBody | Fault::OtherLength) {
            assert_eq!(get(&handler, "nobody", "/").await.0, seen, "it may be there");
        }
    }
    server.clear_faults();
    let recovered = async {
        while get(&handler, "docs", "/").await != (StatusCode::OK, Some(Bytes::from_static(b"docs"))) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recovered).await.expect("it recovers without a restart");
    assert_eq!(get(&handler, "blog", "/about").await, (StatusCode::OK, Some(Bytes::from_static(b"about"))));
    assert_eq!(get(&handler, "nobody", "/").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_store_that_is_broken() {
    goes_on_through(Fault::Status(500), StatusCode::BAD_GATEWAY).await;
}

#[tokio::test]
async fn a_store_that_is_busy() {
    goes_on_through(Fault::Status(503), StatusCode::BAD_GATEWAY).await;
}

#[tokio::test]
async fn a_store_that_refuses() {
    goes_on_through(Fault::Status(403), StatusCode::BAD_GATEWAY).await;
}

#[tokio::test]
async fn a_store_that_ends_connections() {
    goes_on_through(Fault::Reset, StatusCode::BAD_GATEWAY).await;
}

#[tokio::test]
async fn a_store_that_says_nothing() {
    goes_on_through(Fault::Silence, StatusCode::GATEWAY_TIMEOUT).await;
}

#[tokio::test]
async fn a_store_that_takes_too_long() {
    goes_on_through(Fault::Delay(Duration::from_secs(3)), StatusCode::GATEWAY_TIMEOUT).await;
}

#[tokio::test]
async fn a_store_whose_bodies_break_off() {
    goes_on_through(Fault::ShortBody, StatusCode::BAD_GATEWAY).await;
}

#[tokio::test]
async fn a_store_whose_bodies_stop() {
    goes_on_through(Fault::StalledBody, StatusCode::GATEWAY_TIMEOUT).await;
}

#[tokio::test]
async fn a_store_whose_bodies_have_another_length() {
    goes_on_through(Fault::OtherLength, StatusCode::BAD_GATEWAY).await;
}

#[tokio::test]
async fn a_store_that_is_slow_is_waited_for_once_and_not_at_all_for_what_is_known() {
    let (server, store, handler) = platform_of(&Config::default()).await;
    publish_blog(&store).await;
    assert_eq!(get(&handler, "blog", "/").await.0, StatusCode::OK);
    server.fail(Operation::GetObject, Fault::Delay(Duration::from_millis(700)), usize::MAX);
    server.forget_requests();
    let visitors = (0..50).map(|_| get(&handler, "blog", "/about"));
    for visitor in futures_util::future::join_all(visitors).await {
        assert_eq!(visitor, (StatusCode::OK, Some(Bytes::from_static(b"about"))));
    }
    assert!(
        server.requests(Operation::GetObject) <= 3,
        "one for the file, and the route may be asked for anew"
    );
}

#[tokio::test]
async fn a_store_that_says_nothing_is_not_asked_for_every_visitor() {
    let (server, store, handler) = platform().await;
    publish_blog(&store).await;
    server.fail(Operation::GetObject, Fault::Silence, usize::MAX);
    server.forget_requests();
    let labels: Vec<_> = (0..8).map(|number| format!("first-{number}")).collect();
    let visitors = labels.iter().map(|label| get(&handler, label, "/"));
    for (status, _) in futures_util::future::join_all(visitors).await {
        assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    }
    let before = server.requests(Operation::GetObject);
    for number in 0..200 {
        assert_eq!(get(&handler, &format!("later-{number}"), "/").await.0, StatusCode::GATEWAY_TIMEOUT);
    }
    assert!(server.requests(Operation::GetObject) - before <= 3, "one request shows whether it is back");
}
