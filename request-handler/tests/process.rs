//! The binary: how it starts, refuses to start, and ends.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

use std::net::TcpListener;
use std::time::Duration;

use gitdeploy_test::binary::{Program, Running, Signal};
use gitdeploy_test::s3::S3Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A bound on what takes a moment.
const SOON: Duration = Duration::from_mins(1);

fn proxy() -> Program {
    let program = Program::new(env!("CARGO_BIN_EXE_request-handler"));
    program.var("GITDEPLOY_PROXY_LISTEN", "127.0.0.1:0").var("GITDEPLOY_LOG_FORMAT", "json")
}

async fn fails(program: Program, code: i32, sentence: &str) {
    let mut running = program.start();
    assert_eq!(running.wait(SOON).await, code, "{:?}", running.stderr());
    let last = running.stderr().pop().unwrap();
    assert!(last.starts_with("error: ") && last.contains(sentence), "{last}");
}

/// The address from the line that says that the proxy listens.
async fn address(running: &Running) -> String {
    let line = running.wait_for_line("listening", SOON).await;
    let after = line.split_once(r#""address":""#).unwrap().1;
    after.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    fails(proxy().var("GITDEPLOY_PROXY_CACHE_BYTES", "many"), 64, "`GITDEPLOY_PROXY_CACHE_BYTES`").await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let program = proxy().var("GITDEPLOY_PROXY_LISTEN", address.to_string());
    fails(program, 1, &format!("cannot listen on {address}: ")).await;
}

#[tokio::test]
async fn a_store_that_stays_away_ends_the_start() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = proxy()
        .var("GITDEPLOY_PROXY_READY_SECONDS", "2")
        .var("GITDEPLOY_STORE_BUCKET", "sites")
        .var("GITDEPLOY_STORE_PATH_STYLE", "true")
        .var("AWS_ENDPOINT_URL_S3", format!("http://{closed}"))
        .var("AWS_REGION", "us-east-1")
        .var("AWS_ACCESS_KEY_ID", "key")
        .var("AWS_SECRET_ACCESS_KEY", "secret");
    fails(program, 75, "`sites`) could not be reached within 2 s: ").await;
}

#[tokio::test]
async fn without_a_store_it_starts_and_says_that_it_has_only_memory() {
    let mut running = proxy().start();
    running.wait_for_line("no store is configured", SOON).await;
    let line = running.wait_for_line("listening", SOON).await;
    assert!(line.contains(r#""store":"memory""#), "{line}");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(SOON).await, 0);
}

#[tokio::test]
async fn it_says_of_another_whether_it_serves() {
    let mut running = proxy().start();
    let asked = proxy().var("GITDEPLOY_PROXY_LISTEN", address(&running).await);
    assert_eq!(asked.arg("health").start().wait(SOON).await, 0);
    let asked = proxy().var("GITDEPLOY_PROXY_LISTEN", address(&running).await);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(SOON).await, 0);
    fails(asked.arg("health"), 1, "no answer from 127.0.0.1:").await;
    fails(proxy().arg("help"), 1, "unknown argument `help`").await;
}

#[tokio::test]
async fn a_prefix_in_s3_is_served() {
    let server = S3Server::start().await.unwrap();
    server.insert("__outputs/docs/index.html", "<h1>Docs</h1>", None);
    let running = proxy().vars(server.vars()).var("GITDEPLOY_PROXY_DOMAIN", "sites.example").start();
    let mut stream = TcpStream::connect(address(&running).await).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: docs.sites.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("<h1>Docs</h1>"), "{answer}");
}
