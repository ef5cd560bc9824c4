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
    let server = S3Server::start().await.unwrap();
    let vars = server.vars();
    let config = StoreConfig {
        access: Some(section("AWS_", &vars).unwrap()),
        ..section("GITDEPLOY_STORE_", &vars).unwrap()
    };
    let store = ObjectStore::open(&config).await.unwrap();
    let handler = Handler::new(store.clone(), &Config::default());
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
    let request = Request::get(path).header("host", format!("{label}.localhost")).body(()).unwrap();
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
    assert_eq!(get(&handler, "blog", "/nope").await.0, StatusCode::NOT_FOUND, "the manifest says so");
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
        .body(())
        .unwrap();
    server.forget_requests();
    let response = handler.answer(request).await;
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, Bytes::from_static(&[7; 4]));
    assert_eq!(server.requests(Operation::GetObject), 3);
}
