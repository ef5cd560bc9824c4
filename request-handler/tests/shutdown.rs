//! What becomes of connections when the process is told to stop.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_store::ObjectStore;
use request_handler::{Config, Handler, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// More than the buffers between two sockets hold.
const LARGE: usize = 32 << 20;

/// A bound on what takes a moment.
const SOON: Duration = Duration::from_mins(1);

struct Proxy {
    address: SocketAddr,
    stopping: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

async fn start(grace: Duration) -> Proxy {
    let store = ObjectStore::memory();
    let files = [("index.html", Bytes::from_static(b"home")), ("large.bin", Bytes::from(vec![1; LARGE]))];
    support::publish(&store, "blog", &files).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stopping) = (listener.local_addr().unwrap(), CancellationToken::new());
    let handler = Handler::new(store, &Config::default());
    let serving = tokio::spawn(serve(listener, handler, stopping.clone(), grace));
    Proxy { address, stopping, serving }
}

impl Proxy {
    /// A connection over which `path` was asked for, and the head of the answer.
    async fn ask(&self, path: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: blog.localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (stream, String::from_utf8(head).unwrap())
    }

    async fn stop(self) {
        self.stopping.cancel();
        tokio::time::timeout(SOON, self.serving).await.expect("it stops").unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_request_in_flight_is_finished() {
    let proxy = start(SOON).await;
    let (mut stream, head) = proxy.ask("/large.bin").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    proxy.stopping.cancel();
    while TcpStream::connect(proxy.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!proxy.serving.is_finished(), "the visitor has not read the answer yet");
    let mut body = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut body)).await.expect("the answer ends").unwrap();
    assert_eq!(body.len(), LARGE);
    proxy.stop().await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let proxy = start(SOON * 60).await;
    let (mut used, head) = proxy.ask("/").await;
    assert!(head.contains("content-length: 4\r\n"), "{head}");
    let mut body = [0; 4];
    used.read_exact(&mut body).await.unwrap();
    let mut fresh = TcpStream::connect(proxy.address).await.unwrap();
    proxy.ask("/").await;
    proxy.stop().await;
    assert_eq!(used.read(&mut body).await.unwrap(), 0);
    assert!(matches!(fresh.read(&mut body).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_visitor_who_does_not_read_is_cut_off_after_the_grace() {
    let proxy = start(Duration::from_millis(100)).await;
    let (mut stream, _) = proxy.ask("/large.bin").await;
    proxy.stop().await;
    let mut body = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut body)).await.expect("the connection ends");
    assert!(read.is_err() || body.len() < LARGE);
}
