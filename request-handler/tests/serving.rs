//! What is answered to what, as data: `serving/*.http` on a real socket. `UPDATE=1` rewrites the answers.
//!
//! A file has blocks that begin with `===`: what is in the store (`project`, `deployment`, `prefix`, `route`, and
//! `moved` for a route that led elsewhere a moment ago), and
//! requests, each with its answer. In a request, `\xNN` is a byte and `\{a*9}` nine times `a`. In an answer, headers are sorted, those that
//! differ each time are left out, a built-in page is shown by its texts, and a long body by its hash.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "support/route.rs"]
mod route;
#[expect(dead_code, reason = "other tests publish sites without rules")]
mod support;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::rules::{Dialect, parse_headers, parse_redirects};
use gitdeploy_core::{Route, keys};
use gitdeploy_store::ObjectStore;
use jiff::Timestamp;
use request_handler::{Config, Handler, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn every_request_is_answered_as_written() {
    let update = std::env::var_os("UPDATE").is_some();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serving");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = String::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let actual = play(&written).await;
        if actual == written {
            continue;
        }
        if update {
            std::fs::write(&file, actual).unwrap();
        } else {
            let name = file.file_name().unwrap().to_string_lossy();
            let lines = written.lines().zip(actual.lines());
            let (number, (expected, found)) =
                lines.enumerate().find(|(_, (left, right))| left != right).unwrap_or((0, ("", "")));
            writeln!(wrong, "{name}:{}:\n  expected {expected:?}\n  found    {found:?}", number + 1).unwrap();
        }
    }
    assert!(wrong.is_empty(), "some answers are others (`UPDATE=1` rewrites them):\n{wrong}");
}

/// Sends the requests of a file and returns the file with the answers that came.
async fn play(written: &str) -> String {
    let store = ObjectStore::memory();
    let (comment, blocks) = written.split_once("=== ").unwrap();
    let mut actual = comment.to_owned();
    let address = start(store.clone()).await;
    for block in blocks.split("\n=== ") {
        let (head, body) = block.split_once('\n').unwrap_or((block, ""));
        let words: Vec<_> = head.split(' ').collect();
        match words[..] {
            ["project" | "deployment", id] => publish(&store, id, &files(body)).await,
            ["prefix", id] => {
                for (path, bytes) in files(body) {
                    let key = keys::output(&id.parse().unwrap(), &path.parse().unwrap());
                    support::put(&store, &key, bytes).await;
                }
            }
            ["route", label, deployment] => {
                route::lead(&store, label, &deployment.parse().unwrap()).await;
            }
            ["moved", label, from, to] => {
                moved(&store, label, from, to).await;
            }
            ["request", ..] => {
                let answer = describe(&exchange(address, &unescape(body.trim())).await);
                write!(actual, "=== {}\n\n=== answer\n{}\n\n", block.trim(), answer.trim()).unwrap();
                continue;
            }
            ["answer"] => continue,
            _ => panic!("`{head}` is no block"),
        }
        write!(actual, "=== {}\n\n", block.trim()).unwrap();
    }
    actual.truncate(actual.trim_end().len());
    actual + "\n"
}

/// Publishes a site as a builder does, with the rules in its `_redirects` and `_headers`, in which `;` ends a line, and
/// the settings in its `serve`.
async fn publish(store: &ObjectStore, id: &str, files: &[(&str, Bytes)]) {
    let mut manifest = support::empty_manifest(id);
    for (path, bytes) in files {
        let text = || String::from_utf8(bytes.to_vec()).unwrap().replace("; ", "\n");
        match *path {
            "_redirects" => {
                manifest.rules.redirects = parse_redirects(&text(), Dialect::Cloudflare).0;
            }
            "_headers" => manifest.rules.headers = parse_headers(&text()).0,
            "serve" => manifest.rules.serve = serde_json::from_slice(bytes).unwrap(),
            _ => support::add_named(store, &mut manifest, path, bytes).await,
        }
    }
    support::put_manifest(store, &manifest).await;
}

/// Writes a route that has just been moved.
async fn moved(store: &ObjectStore, label: &str, from: &str, to: &str) {
    let route = Route::new("blog".parse().unwrap(), from.parse().unwrap(), Timestamp::UNIX_EPOCH);
    let route = route.moved_to(to.parse().unwrap(), Timestamp::now());
    support::put(store, &keys::route(label).unwrap(), serde_json::to_vec(&route).unwrap().into()).await;
}

async fn start(store: ObjectStore) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Handler::new(store, &Config::default());
    tokio::spawn(serve(listener, handler, CancellationToken::new(), Duration::ZERO));
    address
}

/// Lines of `path: content`; the content `@n` stands for `n` bytes.
fn files(block: &str) -> Vec<(&str, Bytes)> {
    let file = |line| {
        let (path, content) = str::split_once(line, ": ").unwrap();
        let bytes = match content.strip_prefix('@') {
            None => Bytes::copy_from_slice(content.as_bytes()),
            Some(size) => b"0123456789".iter().copied().cycle().take(size.parse().unwrap()).collect(),
        };
        (path, bytes)
    };
    block.lines().filter(|line| !line.is_empty()).map(file).collect()
}

/// The request with the line ends that HTTP wants.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (head, body) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let end = if head.is_empty() { "" } else { "\n" };
    let head = format!("{line}\nConnection: close\n{head}{end}\n").replace('\n', "\r\n");
    let mut text = head + body;
    while let Some((before, (repeated, after))) =
        text.split_once("\\{").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let (piece, times) = repeated.split_once('*').unwrap();
        text = format!("{before}{}{after}", piece.repeat(times.parse().unwrap()));
    }
    let mut parts = text.split("\\x");
    bytes.extend(parts.next().unwrap().bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    bytes
}

async fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("an answer comes").unwrap();
    answer
}

fn describe(answer: &[u8]) -> String {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the answer has a head");
    let (head, body) = (str::from_utf8(&answer[..end]).unwrap(), &answer[end + 4..]);
    let mut lines = head.split("\r\n");
    let mut text = format!("{}\n", lines.next().unwrap());
    let mut headers: Vec<_> =
        lines.filter(|line| !line.starts_with("date: ") && !line.starts_with("connection: ")).collect();
    let is_page = body.starts_with(b"<!doctype html>");
    if is_page {
        let length = format!("content-length: {}", body.len());
        assert!(headers.contains(&length.as_str()), "{head}");
        assert!(
            headers.iter().any(|line| line.starts_with("content-security-policy: default-src 'none'; ")),
            "{head}"
        );
        headers.retain(|line| {
            !line.starts_with("content-length: ") && !line.starts_with("content-security-policy: ")
        });
    }
    headers.sort_unstable();
    for header in headers {
        writeln!(text, "{header}").unwrap();
    }
    let body = if is_page {
        let html = str::from_utf8(body).unwrap();
        let line = |tag| html.split_once(&format!("<{tag}>")).unwrap().1.split_once("</").unwrap().0;
        format!("{}\n{}", line("h1"), line("p"))
    } else if body.len() > 200 {
        format!("({} bytes, SHA-256 {})", body.len(), &Sha256::of(body).to_string()[..16])
    } else {
        String::from_utf8(body.to_vec()).unwrap()
    };
    if !body.is_empty() {
        write!(text, "\n{body}\n").unwrap();
    }
    text
}
