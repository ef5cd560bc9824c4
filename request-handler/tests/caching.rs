//! What is remembered, for how long, and how it is made to be forgotten.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "support/route.rs"]
mod route;
mod support;

use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{Attempt, BuildStatus, DeploymentId, OutputId, SitePath, State, build_status, keys};
use gitdeploy_store::ObjectStore;
use http::header::{CACHE_CONTROL, ETAG, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use request_handler::{Config, Handler};
use support::{add, empty_manifest, publish, put, put_manifest};

/// A little longer than anything that may change is served without asking.
const LATER: Duration = Duration::from_millis(5100);

fn platform() -> (ObjectStore, Handler) {
    let store = ObjectStore::memory();
    (store.clone(), Handler::new(store, &Config::default()))
}

fn deployment(number: u64) -> DeploymentId {
    DeploymentId::new(Timestamp::UNIX_EPOCH, number)
}

async fn publish_page(store: &ObjectStore, id: &str, page: &'static str) {
    publish(store, id, &[("index.html", Bytes::from_static(page.as_bytes()))]).await;
}

/// The status and the body of a path at a label.
async fn get(handler: &Handler, label: &str, path: &str) -> (StatusCode, Bytes) {
    let request =
        Request::get(path).header("host", format!("{label}.localhost")).body(String::new()).unwrap();
    let response = handler.answer(request).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    if head.status.is_success() {
        let tag = head.headers[ETAG].to_str().unwrap();
        let hash = Sha256::of(&body).to_string();
        assert_eq!(tag.trim_matches('"'), &hash[..32], "the body is the one that the tag names");
    } else {
        assert_eq!(head.headers[CACHE_CONTROL], "no-store");
    }
    (head.status, body)
}

async fn page(handler: &Handler, label: &str) -> Option<String> {
    let (status, body) = get(handler, label, "/").await;
    (status == StatusCode::OK).then(|| String::from_utf8(body.into()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_promotion_is_seen_at_once_by_whoever_is_told_and_soon_by_others() {
    let (store, told) = platform();
    let other = Handler::new(store.clone(), &Config::default());
    for (number, content) in [(1, "one"), (2, "two")] {
        publish_page(&store, deployment(number).as_str(), content).await;
    }
    route::lead(&store, "blog", &deployment(1)).await;
    assert_eq!(page(&told, "blog").await.as_deref(), Some("one"));
    assert_eq!(page(&other, "blog").await.as_deref(), Some("one"));

    route::lead(&store, "blog", &deployment(2)).await;
    told.invalidate("blog");
    assert_eq!(page(&told, "blog").await.as_deref(), Some("two"));
    assert_eq!(page(&other, "blog").await.as_deref(), Some("one"), "the older route is still fresh");
    tokio::time::advance(LATER).await;
    assert_eq!(page(&other, "blog").await.as_deref(), Some("two"));
    assert_eq!(page(&other, deployment(1).as_str()).await.as_deref(), Some("one"), "it stays for ever");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_asked_for_too_early_works_once_it_is_there() {
    let (store, handler) = platform();
    let id = deployment(1);
    assert_eq!(page(&handler, "blog").await, None);
    assert_eq!(page(&handler, id.as_str()).await, None);

    publish_page(&store, id.as_str(), "first").await;
    route::lead(&store, "blog", &id).await;
    assert_eq!(page(&handler, "blog").await, None, "the absence is still fresh");
    handler.invalidate("blog");
    assert_eq!(page(&handler, "blog").await.as_deref(), Some("first"));
    tokio::time::advance(LATER).await;
    assert_eq!(page(&handler, id.as_str()).await.as_deref(), Some("first"));
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_build_is_not_finished_says_so() {
    let (store, handler) = platform();
    let id = deployment(1);
    let ask = async |label: &str| {
        let request =
            Request::get("/a/b").header("host", format!("{label}.localhost")).body(String::new()).unwrap();
        let (head, body) = handler.answer(request).await.into_parts();
        (head, String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap())
    };
    let mut status = BuildStatus {
        version: build_status::VERSION,
        project: "blog".parse().unwrap(),
        deployment: id.clone(),
        state: State::Building,
        cause: None,
        log: Some("https://api.example/deployments/1?a&b".to_owned()),
    };
    let show = async |status: &BuildStatus| {
        for label in ["blog", id.as_str()] {
            let json = serde_json::to_vec(status).unwrap();
            put(&store, &keys::build_status(label).unwrap(), json.into()).await;
        }
        tokio::time::advance(LATER).await;
    };
    show(&status).await;
    for label in ["blog", id.as_str()] {
        let (head, html) = ask(label).await;
        assert_eq!(head.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            (&head.headers[RETRY_AFTER], &head.headers[CACHE_CONTROL]),
            (&"5".parse().unwrap(), &"no-store".parse().unwrap())
        );
        assert!(html.contains(r#"<meta http-equiv="refresh" content="5">"#), "{html}");
        assert!(html.contains(r#"href="https://api.example/deployments/1?a&amp;b""#), "{html}");
    }
    (status.state, status.cause) = (State::Failed, Some("the command `make <all>` exited with 2".to_owned()));
    show(&status).await;
    let (head, html) = ask("blog").await;
    assert_eq!(
        (head.status, &head.headers[CACHE_CONTROL]),
        (StatusCode::NOT_FOUND, &"no-store".parse().unwrap())
    );
    assert!(html.contains("The command make &lt;all&gt; exited with 2."), "{html}");
    assert!(!html.contains("http-equiv"), "{html}");
    publish_page(&store, id.as_str(), "ready").await;
    tokio::time::advance(LATER).await;
    assert_eq!(page(&handler, id.as_str()).await.as_deref(), Some("ready"));
}

#[tokio::test(start_paused = true)]
async fn a_prefix_becomes_a_project_and_then_a_route() {
    let (store, handler) = platform();
    let id: OutputId = "blog".parse().unwrap();
    let index: SitePath = "index.html".parse().unwrap();
    put(&store, &keys::output(&id, &index), Bytes::from_static(b"synced")).await;
    let request = || Request::get("/").header("host", "blog.localhost").body(String::new()).unwrap();
    let body = handler.answer(request()).await.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "synced");

    publish_page(&store, "blog", "built").await;
    tokio::time::advance(LATER).await;
    assert_eq!(page(&handler, "blog").await.as_deref(), Some("built"));

    publish_page(&store, deployment(1).as_str(), "promoted").await;
    route::lead(&store, "blog", &deployment(1)).await;
    tokio::time::advance(LATER).await;
    assert_eq!(page(&handler, "blog").await.as_deref(), Some("promoted"));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_a_plain_prefix_may_change_at_any_time() {
    let (store, handler) = platform();
    let id: OutputId = "docs".parse().unwrap();
    let index: SitePath = "index.html".parse().unwrap();
    let key = keys::output(&id, &index);
    let body = async || {
        let request = Request::get("/").header("host", "docs.localhost").body(String::new()).unwrap();
        let response = handler.answer(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().collect().await.unwrap().to_bytes()
    };
    put(&store, &key, Bytes::from_static(b"old")).await;
    assert_eq!(body().await, "old");
    put(&store, &key, Bytes::from_static(b"newer")).await;
    assert_eq!(body().await, "old", "it is taken for granted that the file is as it was");
    tokio::time::advance(LATER).await;
    assert_eq!(body().await, "newer");
    let other: SitePath = "big.html".parse().unwrap();
    put(&store, &keys::output(&id, &other), vec![b'x'; 9 << 20].into()).await;
    let big = async || {
        let request = Request::get("/big").header("host", "docs.localhost").body(String::new()).unwrap();
        handler.answer(request).await.into_body().collect().await.unwrap().to_bytes().len()
    };
    assert_eq!(big().await, 9 << 20);
    put(&store, &keys::output(&id, &other), vec![b'x'; 10 << 20].into()).await;
    assert_eq!(big().await, 10 << 20, "a large file is not kept, so that the change is noticed");
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_old_is_read_again() {
    let (store, handler) = platform();
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    publish(&store, "blog", &[("index.html", first.clone()), ("app.js", first)]).await;
    assert_eq!(page(&handler, "blog").await.as_deref(), Some("first"));

    publish(&store, "blog", &[("index.html", second.clone()), ("app.js", second)]).await;
    let (status, body) = get(&handler, "blog", "/app.js").await;
    assert_eq!((status, body), (StatusCode::OK, Bytes::from_static(b"second")));
    assert_eq!(page(&handler, "blog").await.as_deref(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_lost_is_a_fault_and_no_absence() {
    let (store, handler) = platform();
    publish_page(&store, "blog", "here").await;
    store.delete(&keys::output(&"blog".parse().unwrap(), &"index.html".parse().unwrap())).await.unwrap();
    assert_eq!(get(&handler, "blog", "/").await.0, StatusCode::BAD_GATEWAY);

    route::lead(&store, "lost", &deployment(9)).await;
    assert_eq!(get(&handler, "lost", "/").await.0, StatusCode::BAD_GATEWAY);

    put(&store, &keys::manifest(&"odd".parse().unwrap()), Bytes::from_static(b"{")).await;
    assert_eq!(get(&handler, "odd", "/").await.0, StatusCode::BAD_GATEWAY);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_is_replaced_in_place_is_never_a_mix() {
    let store = ObjectStore::memory();
    publish(&store, "blog", &generation(0)).await;
    let mut visitors = Visitors { store: store.clone(), all: Vec::new() };
    visitors.come(0).await;
    for number in 1..=4 {
        let (attempt, files, id) = (Attempt(number), generation(number), "blog".parse().unwrap());
        let (mut switched, mut settled) = (empty_manifest("blog"), empty_manifest("blog"));
        for (path, bytes) in &files {
            add(&store, &mut switched, Some(attempt), path, bytes).await;
            visitors.come(number - 1).await;
        }
        put_manifest(&store, &switched).await;
        visitors.come(number).await;
        for (path, bytes) in &files {
            add(&store, &mut settled, None, path, bytes).await;
            visitors.come(number).await;
        }
        put_manifest(&store, &settled).await;
        visitors.come(number).await;
        for (path, _) in &files {
            store.delete(&keys::staged(&id, attempt, &path.parse().unwrap())).await.unwrap();
            visitors.come(number).await;
        }
    }
}

fn generation(number: u64) -> [(&'static str, Bytes); 2] {
    [("index.html", format!("page {number}").into()), ("app.js", format!("script {number}").into())]
}

/// Visitors of proxies that keep no file and each know the manifest of another moment.
struct Visitors {
    store: ObjectStore,
    all: Vec<(Handler, u64)>,
}

impl Visitors {
    /// Lets everybody look, and one more for whom everything is new: that one must see `current`.
    async fn come(&mut self, current: u64) {
        let config = Config { cache_bytes: 0, ..Config::default() };
        let newcomer = Handler::new(self.store.clone(), &config);
        assert_eq!(page(&newcomer, "blog").await, Some(format!("page {current}")));
        self.all.push((newcomer, current));
        for (handler, seen) in &mut self.all {
            for path in ["/app.js", "/", "/app.js"] {
                let (status, body) = get(handler, "blog", path).await;
                assert_eq!(status, StatusCode::OK);
                let text = String::from_utf8(body.into()).unwrap();
                let number: u64 = text.split_once(' ').unwrap().1.parse().unwrap();
                assert!(number >= *seen && number <= current, "`{text}` came after {seen} before {current}");
                *seen = number;
            }
        }
    }
}
