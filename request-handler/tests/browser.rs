//! What a browser that comes back after a deployment is sent. The browser is a headless Chromium.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "support/bundle.rs"]
mod bundle;
#[path = "support/route.rs"]
mod route;
mod support;

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{DeploymentId, Route, keys};
use gitdeploy_store::ObjectStore;
use gitdeploy_test::binary::Program;
use http::Request;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use request_handler::{Config, Handler};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How long a browser may take; far more than it needs.
const LIMIT: Duration = Duration::from_mins(2);

/// The bundle of the first deployment, and of the second, in which one line is another.
const EARLIER: &str = "assets/app-1a2b3c4d.js";
const LATER: &str = "assets/app-5e6f7a8b.js";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_comes_back_loads_what_has_changed_in_a_bundle() {
    let store = ObjectStore::memory();
    let [first, second] = [1, 2].map(|number| DeploymentId::new(Timestamp::UNIX_EPOCH, number));
    let earlier = bundle::bundle() + "document.write(\"<p>\" + \"version 1\" + \"</p>\")\n";
    let later = earlier.replacen("\"version 1\"", "\"version 2\"", 1);
    publish(&store, &first, EARLIER, &earlier).await;
    let brotli = publish(&store, &second, LATER, &later).await;
    route::lead(&store, "blog", &first).await;
    let handler = Handler::new(store.clone(), &Config::default());
    let (address, sent) = serve(handler.clone()).await;
    let profile = tempfile::tempdir().unwrap();
    let url = format!("http://blog.localhost:{}/", address.port());

    assert!(show(&profile, &url).await.contains("<p>version 1</p>"));
    assert_eq!(sent.of(EARLIER).coding, "br");

    let route = Route::new("blog".parse().unwrap(), first, Timestamp::UNIX_EPOCH);
    let route = route.moved_to(second, Timestamp::UNIX_EPOCH);
    let record = serde_json::to_vec(&route).unwrap();
    support::put(&store, &keys::route("blog").unwrap(), record.into()).await;
    handler.invalidate("blog");
    somebody_came_before(&handler, &earlier).await;
    assert!(show(&profile, &url).await.contains("<p>version 2</p>"));
    let answer = sent.of(LATER);
    assert_eq!(answer.coding, "dcz");
    assert!(answer.bytes * 10 <= brotli, "{} bytes in the place of {brotli}", answer.bytes);
    println!("the second deployment's bundle: {} bytes in the place of {brotli} of brotli", answer.bytes);
}

/// Waits until the bundle is made for whoever has the earlier one: on a machine that is busy, the first visitor gets the
/// ordinary copy.
async fn somebody_came_before(handler: &Handler, earlier: &str) {
    let hash = STANDARD.encode(Sha256::of(earlier.as_bytes()).as_bytes());
    let made = async {
        loop {
            let request = Request::get(format!("/{LATER}")).header("host", "blog.localhost");
            let request = request.header("accept-encoding", "br, dcz");
            let request =
                request.header("available-dictionary", format!(":{hash}:")).body(String::new()).unwrap();
            if handler.answer(request).await.headers()[CONTENT_ENCODING] == "dcz" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, made).await.unwrap();
}

/// Publishes a page with a bundle, and returns the size of the bundle in brotli.
async fn publish(store: &ObjectStore, id: &DeploymentId, path: &str, bundle: &str) -> u64 {
    let page = format!("<!doctype html><body><script src=/{path}></script>");
    let mut compressed = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut compressed, 4096, 10, 22);
    encoder.write_all(bundle.as_bytes()).unwrap();
    drop(encoder);
    let bytes = compressed.len() as u64;
    let (immutable, br) = (format!("{path} [immutable]"), format!("{path} [br]"));
    let files = [
        ("index.html", page.into()),
        (immutable.as_str(), Bytes::from(bundle.to_owned())),
        (br.as_str(), compressed.into()),
    ];
    support::publish(store, id.as_str(), &files).await;
    bytes
}

/// What was sent for a bundle.
#[derive(Debug, Clone)]
struct Sent {
    path: String,
    coding: String,
    bytes: u64,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Sent>>>);

impl Log {
    fn of(&self, path: &str) -> Sent {
        let sent = self.0.lock().unwrap();
        sent.iter().find(|sent| sent.path == format!("/{path}")).unwrap_or_else(|| panic!("{sent:?}")).clone()
    }
}

/// Serves with a log of what is sent.
async fn serve(handler: Handler) -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, log) = (listener.local_addr().unwrap(), Log::default());
    let sent = log.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (handler, sent) = (handler.clone(), sent.clone());
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let (handler, sent) = (handler.clone(), sent.clone());
                async move {
                    let path = request.uri().path().to_owned();
                    let response = handler.answer(request).await;
                    let header =
                        |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
                    let (coding, bytes) =
                        (header(CONTENT_ENCODING).to_owned(), header(CONTENT_LENGTH).parse());
                    sent.0.lock().unwrap().push(Sent { path, coding, bytes: bytes.unwrap_or_default() });
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, log)
}

/// What a page is after its scripts have run.
async fn show(profile: &TempDir, url: &str) -> String {
    let mut running = Program::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
        .args(["--disable-sync", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().join("data").display()))
        .arg(url)
        .var("HOME", profile.path())
        .start();
    assert_eq!(running.wait(LIMIT).await, 0, "{:?}", running.stderr());
    running.stdout().join("\n")
}
