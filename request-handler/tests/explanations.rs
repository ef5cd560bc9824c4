//! What the owner is told about answers, over a real socket; and that nobody else is.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "support/route.rs"]
mod route;
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::rules::{Dialect, parse_headers, parse_redirects};
use gitdeploy_core::{BuildStatus, Explanation, GrantKey, Route, State, build_status, keys};
use gitdeploy_runtime::section;
use gitdeploy_store::{ObjectStore, StoreConfig};
use gitdeploy_test::s3::{Operation, S3Server};
use jiff::{SignedDuration, Timestamp};
use request_handler::{Config, Handler, serve};
use support::{add_named, empty_manifest, publish, put, put_manifest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const DEPLOYMENT: &str = "01m9x2k4tb7f5q8r3w70";
const EARLIER: &str = "01m9x2k4tb7f5q8r3w6z";

const REDIRECTS: &str = "/old /new 301\n# a comment\n/app/* /index.html 200\n/a Country=de /b\n";
const HEADERS: &str = "/*\n  X-Frame-Options: DENY\n\n/index.html\n  CDN-Cache-Control: max-age=60\n/about\n  CDN-Cache-Control: max-age=60\n";

/// The proxy on a port, and the key of its grants.
struct Proxy {
    address: SocketAddr,
    key: GrantKey,
}

/// An answer: status, headers, and what it was said to be.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
}

impl Proxy {
    /// One whose store has a key.
    async fn on(store: &ObjectStore) -> Self {
        let key = GrantKey::new([7; GrantKey::BYTES]);
        put(store, &keys::grant_key(), Bytes::copy_from_slice(key.as_bytes())).await;
        Self::without_key(store, key).await
    }

    async fn without_key(store: &ObjectStore, key: GrantKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler = Handler::new(store.clone(), &Config::default());
        tokio::spawn(serve(listener, handler, CancellationToken::new(), Duration::ZERO));
        Self { address, key }
    }

    fn grant(&self, host: &str) -> String {
        self.key.grant(host, Timestamp::now()).to_string()
    }

    /// Asks as the owner.
    async fn explain(&self, host: &str, path: &str) -> (Answer, Explanation) {
        self.explain_with(host, path, "").await
    }

    async fn explain_with(&self, host: &str, path: &str, headers: &str) -> (Answer, Explanation) {
        let grant = format!("GitDeploy-Explain: {}\r\n{headers}", self.grant(host));
        let answer = self.get(host, path, &grant).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        let header = answer.header("gitdeploy-explanation").expect("an explanation");
        let explanation = Explanation::read(header.as_bytes()).unwrap();
        (answer, explanation)
    }

    async fn get(&self, host: &str, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")).await
    }

    async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.split("\r\n\r\n").next().unwrap().split("\r\n");
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        Answer { status, headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A project whose route has moved once, with rules.
async fn blog() -> ObjectStore {
    let store = ObjectStore::memory();
    let earlier = [("index.html", Bytes::from_static(b"old")), ("app-1.js", Bytes::from_static(b"one"))];
    publish(&store, EARLIER, &earlier).await;
    let mut manifest = empty_manifest(DEPLOYMENT);
    for (name, content) in [
        ("index.html", "home"),
        ("index.html [br]", "compressed"),
        ("about.html", "about"),
        ("grüße.html", "hello"),
        ("404.html", "nothing"),
    ] {
        add_named(&store, &mut manifest, name, &Bytes::from_static(content.as_bytes())).await;
    }
    manifest.rules.redirects = parse_redirects(REDIRECTS, Dialect::Cloudflare).0;
    manifest.rules.headers = parse_headers(HEADERS).0;
    put_manifest(&store, &manifest).await;
    let route = Route::new("blog".parse().unwrap(), EARLIER.parse().unwrap(), Timestamp::UNIX_EPOCH);
    let route = route.moved_to(DEPLOYMENT.parse().unwrap(), Timestamp::now());
    put(&store, &keys::route("blog").unwrap(), serde_json::to_vec(&route).unwrap().into()).await;
    store
}

#[tokio::test]
async fn an_answer_is_explained_from_the_route_to_the_body() {
    let store = blog().await;
    let proxy = Proxy::on(&store).await;
    let (answer, first) = proxy.explain_with("blog.localhost", "/", "Accept-Encoding: br\r\n").await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("br")));
    assert!(first.moved.is_some());
    assert!(first.store_ms.is_some());
    let expected = Explanation {
        site: Some("blog".to_owned()),
        found_by: Some("route".to_owned()),
        project: Some("blog".to_owned()),
        moved: first.moved,
        deployment: Some(DEPLOYMENT.to_owned()),
        decision: Some("file".to_owned()),
        headers_lines: vec![1],
        file: Some("index.html".to_owned()),
        encoding: Some("br".to_owned()),
        site_source: Some("store".to_owned()),
        manifest_source: Some("store".to_owned()),
        source: Some("store".to_owned()),
        store_ms: first.store_ms,
        cache_control: Some("public, max-age=0, must-revalidate".to_owned()),
        ..Explanation::default()
    };
    assert_eq!(first, expected);
    let (_, second) = proxy.explain_with("blog.localhost", "/", "Accept-Encoding: br\r\n").await;
    assert_eq!(
        (second.manifest_source.as_deref(), second.source.as_deref()),
        (Some("memory"), Some("memory"))
    );
    assert_eq!(second.store_ms, Some(0.0));
}

#[tokio::test]
async fn every_decision_is_told() {
    let store = blog().await;
    let status = BuildStatus {
        version: build_status::VERSION,
        project: "shop".parse().unwrap(),
        deployment: EARLIER.parse().unwrap(),
        state: State::Building,
        cause: None,
        log: None,
    };
    let status = serde_json::to_vec(&status).unwrap();
    put(&store, &keys::build_status("shop").unwrap(), status.into()).await;
    for path in ["index.html", "a.txt"] {
        let key = keys::output(&"plain".parse().unwrap(), &path.parse().unwrap());
        put(&store, &key, Bytes::from_static(b"a")).await;
    }
    route::lead(&store, "broken", &"01m9x2k4tb7f5q8r3w00".parse().unwrap()).await;
    let proxy = Proxy::on(&store).await;
    for (host, path, status, decision, by) in [
        ("blog.localhost", "/about", 200, "file", Some("route")),
        ("blog.localhost", "/about.html", 308, "address", Some("route")),
        ("blog.localhost", "/old", 301, "redirect", Some("route")),
        ("blog.localhost", "/app/1", 200, "rewrite", Some("route")),
        ("blog.localhost", "/app-1.js", 200, "grace", Some("route")),
        ("blog.localhost", "/nothing", 404, "not-found-page", Some("route")),
        ("01m9x2k4tb7f5q8r3w6z.localhost", "/nothing.js", 404, "missing", Some("deployment")),
        ("01m9x2k4tb7f5q8r3w6z.localhost", "/", 200, "file", Some("deployment")),
        ("plain.localhost", "/a.txt", 200, "file", Some("prefix")),
        ("plain.localhost", "/b.txt", 404, "missing", Some("prefix")),
        ("shop.localhost", "/", 503, "unfinished", Some("build")),
        ("nobody.localhost", "/", 404, "no-site", Some("prefix")),
        ("www.example.com", "/", 404, "no-site", None),
        ("blog.localhost", "/%00", 400, "malformed", None),
    ] {
        let (answer, explanation) = proxy.explain(host, path).await;
        assert_eq!(answer.status, status, "{host}{path}");
        assert_eq!(explanation.decision.as_deref(), Some(decision), "{host}{path}");
        assert_eq!(explanation.found_by.as_deref(), by, "{host}{path}");
    }
    let of = async |path| proxy.explain("blog.localhost", path).await.1;
    let redirect = of("/old").await;
    assert_eq!((redirect.redirect_line, redirect.redirect.as_deref()), (Some(1), Some("/old /new 301")));
    assert_eq!(redirect.cache_control.as_deref(), Some("public, max-age=0, must-revalidate"));
    let rewrite = of("/app/1").await;
    assert_eq!(
        (rewrite.redirect_line, rewrite.redirect.as_deref(), rewrite.file.as_deref()),
        (Some(3), Some("/app/* /index.html 200"), Some("index.html"))
    );
    assert_eq!(of("/about").await.headers_lines, [1, 6]);
    let grace = of("/app-1.js").await;
    assert_eq!(
        (grace.deployment.as_deref(), grace.file_deployment.as_deref()),
        (Some(DEPLOYMENT), Some(EARLIER))
    );
    assert_eq!(of("/nothing").await.file.as_deref(), Some("404.html"));
    assert_eq!(of("/gr%C3%BC%C3%9Fe").await.file.as_deref(), Some("grüße.html"));
    let (answer, fault) = proxy.explain("broken.localhost", "/").await;
    assert_eq!((answer.status, fault.decision.as_deref()), (502, Some("fault")));
    assert_eq!(
        fault.fault.as_deref(),
        Some("`broken` leads to `01m9x2k4tb7f5q8r3w00`, which has no manifest")
    );
}

#[tokio::test]
async fn a_grant_is_for_its_host_however_that_is_written() {
    let proxy = Proxy::on(&blog().await).await;
    let grant = proxy.grant("blog.localhost");
    for host in ["blog.localhost", "BLOG.localhost.", "blog.localhost:8080"] {
        let answer = proxy.get(host, "/", &format!("GitDeploy-Explain: {grant}\r\n")).await;
        assert!(answer.header("gitdeploy-explanation").is_some(), "{host}");
    }
    let head = format!(
        "HEAD / HTTP/1.1\r\nHost: blog.localhost\r\nConnection: close\r\nGitDeploy-Explain: {grant}\r\n\r\n"
    );
    assert!(proxy.send(&head).await.header("gitdeploy-explanation").is_some());
}

#[tokio::test]
async fn without_a_true_grant_the_answer_is_as_for_anybody() {
    let proxy = Proxy::on(&blog().await).await;
    let mut expected = proxy.get("blog.localhost", "/", "").await.headers;
    expected.remove("date");
    let now = Timestamp::now();
    let ended = proxy.key.grant("blog.localhost", now - SignedDuration::from_mins(6)).to_string();
    let early = proxy.key.grant("blog.localhost", now + SignedDuration::from_mins(6)).to_string();
    let other_key = GrantKey::new([8; GrantKey::BYTES]).grant("blog.localhost", now).to_string();
    let longest = "x".repeat(8 << 10);
    for grant in [&ended, &early, &other_key, &proxy.grant("shop.localhost"), "", "1.2", "ü", &longest] {
        let mut answer = proxy.get("blog.localhost", "/", &format!("GitDeploy-Explain: {grant}\r\n")).await;
        answer.headers.remove("date");
        assert_eq!((answer.status, &answer.headers), (200, &expected), "{grant}");
    }
}

#[tokio::test]
async fn a_cache_on_the_way_keeps_nothing_of_an_explanation() {
    let proxy = Proxy::on(&blog().await).await;
    let anybody = proxy.get("blog.localhost", "/about", "").await;
    assert_eq!(anybody.header("cdn-cache-control"), Some("max-age=60"));
    let tag = format!("If-None-Match: {}\r\n", anybody.header("etag").unwrap());
    assert_eq!(proxy.get("blog.localhost", "/about", &tag).await.status, 304);
    // A cache that asks for the owner whether its copy is right would file a 304 with it, explanation and all.
    let (answer, _) = proxy.explain_with("blog.localhost", "/about", &tag).await;
    assert_eq!((answer.status, answer.header("cdn-cache-control")), (200, None));
}

#[tokio::test]
async fn what_visitors_send_does_not_have_the_store_asked() {
    let server = S3Server::start().await.unwrap();
    let vars = server.vars();
    let config = StoreConfig {
        access: Some(section("AWS_", &vars).unwrap()),
        ..section("GITDEPLOY_STORE_", &vars).unwrap()
    };
    let store = ObjectStore::open(&config).await.unwrap();
    publish(&store, DEPLOYMENT, &[("index.html", Bytes::from_static(b"home"))]).await;
    let key = GrantKey::new([7; GrantKey::BYTES]);
    let proxy = Proxy::without_key(&store, key.clone()).await;
    let host = format!("{DEPLOYMENT}.localhost");
    let asked = || {
        let calls = server.calls();
        calls
            .iter()
            .filter(|call| call.operation == Operation::GetObject && call.key == "__keys/explain")
            .count()
    };
    for grant in ["", "rubbish", "9999999999.00"] {
        proxy.get(&host, "/", &format!("GitDeploy-Explain: {grant}\r\n")).await;
    }
    assert_eq!(asked(), 0, "what is no grant is not looked into");
    for _ in 0..200 {
        let answer = proxy.get(&host, "/", &format!("GitDeploy-Explain: {}\r\n", proxy.grant(&host))).await;
        assert_eq!(answer.header("gitdeploy-explanation"), None, "there is no key");
    }
    let absent = asked();
    assert!((1..20).contains(&absent), "asked {absent} times for a key that is not there");
    put(&store, &keys::grant_key(), Bytes::copy_from_slice(key.as_bytes())).await;
    let forged = GrantKey::new([8; GrantKey::BYTES]).grant(&host, Timestamp::now());
    let explained = async || {
        let answer = proxy.get(&host, "/", &format!("GitDeploy-Explain: {}\r\n", proxy.grant(&host))).await;
        answer.header("gitdeploy-explanation").is_some()
    };
    while !explained().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = asked();
    for _ in 0..200 {
        proxy.get(&host, "/", &format!("GitDeploy-Explain: {forged}\r\n")).await;
    }
    assert!(asked() - before <= 1, "the key is kept for a minute");
}
