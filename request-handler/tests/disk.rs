//! Files on disk: what they save, and what happens when they are not what they were.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_runtime::section;
use gitdeploy_store::{ObjectStore, StoreConfig};
use gitdeploy_test::binary::{Program, Running, Signal};
use gitdeploy_test::s3::{Operation, S3Server};
use support::publish;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A bound on what takes a moment.
const SOON: Duration = Duration::from_mins(1);

const PAGE: &str = "<h1>About</h1>";

/// What a start and a visit cost if the page is at hand: whether the store is there, whether there is a route, and the
/// manifest.
const RECORDS: usize = 3;

fn proxy(directory: &Path) -> Program {
    let program = Program::new(env!("CARGO_BIN_EXE_request-handler"));
    program
        .var("GITDEPLOY_PROXY_LISTEN", "127.0.0.1:0")
        .var("GITDEPLOY_PROXY_DISK_DIRECTORY", directory)
        .var("GITDEPLOY_PROXY_DISK_BYTES", (256 << 20).to_string())
        .var("GITDEPLOY_LOG_FORMAT", "json")
}

/// A store with a site.
async fn store() -> S3Server {
    let server = S3Server::start().await.unwrap();
    let vars = server.vars();
    let config = StoreConfig {
        access: Some(section("AWS_", &vars).unwrap()),
        ..section("GITDEPLOY_STORE_", &vars).unwrap()
    };
    let store = ObjectStore::open(&config).await.unwrap();
    publish(&store, "blog", &[("about.html", Bytes::from_static(PAGE.as_bytes()))]).await;
    server
}

/// Visits the page with a new proxy, and says where it came from and how often the store was asked.
async fn visited(server: &S3Server, directory: &Path) -> (String, usize) {
    server.forget_requests();
    let mut running = proxy(directory).vars(server.vars()).start();
    let address = value(&running.wait_for_line("listening", SOON).await, "address");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /about HTTP/1.1\r\nHost: blog.localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(PAGE), "{answer}");
    let source = value(&running.wait_for_line("/about", SOON).await, "source");
    ends(&mut running).await;
    (source, server.requests(Operation::GetObject))
}

async fn ends(running: &mut Running) {
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(SOON).await, 0, "{:?}", running.stderr());
}

/// What a line of JSON says.
fn value(line: &str, name: &str) -> String {
    let after = line.split_once(&format!(r#""{name}":""#)).unwrap_or_else(|| panic!("{line}")).1;
    after.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_file_is_there_after_a_restart() {
    let (server, directory) = (store().await, tempfile::tempdir().unwrap());
    let directory = directory.path().join("made/by us");
    assert_eq!(visited(&server, &directory).await, ("store".to_owned(), RECORDS + 1));
    assert_eq!(visited(&server, &directory).await, ("disk".to_owned(), RECORDS));
}

#[tokio::test]
async fn what_is_damaged_on_disk_comes_from_the_store() {
    let (server, directory) = (store().await, tempfile::tempdir().unwrap());
    visited(&server, directory.path()).await;
    let mut damaged = 0;
    for file in std::fs::read_dir(directory.path().join("files")).unwrap() {
        let path = file.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        if let Some(at) = content.windows(PAGE.len()).position(|part| part == PAGE.as_bytes()) {
            let mut content = content;
            content[at + 4] ^= 1;
            std::fs::write(&path, content).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
    assert_eq!(visited(&server, directory.path()).await, ("store".to_owned(), RECORDS + 1));
    assert_eq!(visited(&server, directory.path()).await.1, RECORDS, "it was written anew");
}

#[tokio::test]
async fn what_makes_no_sense_on_disk_is_left_behind() {
    let (server, directory) = (store().await, tempfile::tempdir().unwrap());
    visited(&server, directory.path()).await;
    for file in std::fs::read_dir(directory.path().join("files")).unwrap() {
        std::fs::write(file.unwrap().path(), "garbage").unwrap();
    }
    assert_eq!(visited(&server, directory.path()).await, ("store".to_owned(), RECORDS + 1));
}

#[tokio::test]
async fn a_directory_that_does_not_do_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = proxy(directory.path()).start();
    first.wait_for_line("listening", SOON).await;
    refused(proxy(directory.path()), "another proxy uses `").await;
    ends(&mut first).await;
    let file = directory.path().join("lock");
    refused(proxy(&file), "lock` cannot be used: ").await;
    let few = proxy(directory.path()).var("GITDEPLOY_PROXY_DISK_BYTES", "1000");
    refused(few, "`GITDEPLOY_PROXY_DISK_BYTES`").await;
}

async fn refused(program: Program, sentence: &str) {
    let mut running = program.start();
    assert_eq!(running.wait(SOON).await, 64, "{:?}", running.stderr());
    let last = running.stderr().pop().unwrap();
    assert!(last.starts_with("error: ") && last.contains(sentence), "{last}");
}
