//! A proxy is replaced by another one under load, and no visitor sees a failure.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_store::ObjectStore;
use gitdeploy_test::binary::Signal;
use request_handler::{Config, Handler, Limits, Options, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::process::{self, Proxy};
use crate::server::{SOON, get, rest};
use crate::support;

/// How many visitors ask at the same time.
const VISITORS: usize = 24;

/// A load balancer as visitors see it: it sends new connections to the first proxy that says that it is ready.
#[derive(Default)]
struct Balancer {
    chosen: Mutex<String>,
    answers: AtomicU64,
    is_over: AtomicBool,
}

impl Balancer {
    async fn watch(&self, proxies: &[(String, String)]) {
        while !self.is_over.load(Relaxed) {
            for (address, admin) in proxies {
                if is_ready(admin).await {
                    self.chosen.lock().unwrap().clone_from(address);
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn chosen(&self) -> String {
        self.chosen.lock().unwrap().clone()
    }

    /// Asks again and again, over connections that are kept as long as answers allow it.
    async fn visit_over_http1(&self) {
        while !self.is_over.load(Relaxed) {
            let mut stream = TcpStream::connect(self.chosen()).await.expect("a ready proxy accepts");
            while !self.is_over.load(Relaxed) {
                let (head, page) = get(&mut stream, "blog.localhost", "/").await;
                assert!(head.starts_with("HTTP/1.1 200 ") && page == "home", "{head}");
                self.answers.fetch_add(1, Relaxed);
                if head.contains("connection: close\r\n") {
                    break;
                }
            }
        }
    }

    /// The same over HTTP/2, until the proxy says that it goes away.
    async fn visit_over_http2(&self) {
        while !self.is_over.load(Relaxed) {
            let stream = TcpStream::connect(self.chosen()).await.expect("a ready proxy accepts");
            let (visitor, connection) = h2::client::handshake(stream).await.unwrap();
            let connection = tokio::spawn(connection);
            let mut last = visitor;
            // A client that was told to go away finds out here, before it asks.
            while let Ok(mut visitor) = last.ready().await
                && !self.is_over.load(Relaxed)
            {
                let request = http::Request::get("http://blog.localhost/").body(()).unwrap();
                let Ok((answer, _)) = visitor.send_request(request, true) else { break };
                match answer.await {
                    Ok(answer) => {
                        assert_eq!(answer.status(), 200);
                        let page = answer.into_body().data().await.unwrap().unwrap();
                        assert_eq!(page, "home");
                        self.answers.fetch_add(1, Relaxed);
                    }
                    // RFC 9113 §6.8: what was not looked at may be sent again, and clients do so.
                    Err(error) => assert!(
                        error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR)
                            || error.reason() == Some(h2::Reason::REFUSED_STREAM),
                        "{error}"
                    ),
                }
                last = visitor;
            }
            connection.await.unwrap().ok();
        }
    }

    async fn has_answered_more(&self) {
        let more = self.answers.load(Relaxed) + 10 * VISITORS as u64;
        while self.answers.load(Relaxed) < more {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn is_ready(admin: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(admin).await else { return false };
    let request = b"GET /readyz HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    stream.write_all(request).await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200 ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_one_proxy_takes_over_from_another() {
    let folder = process::site().await;
    let settings = [("GITDEPLOY_PROXY_DRAIN_DELAY_SECONDS", "4")];
    let (mut old, new) = (Proxy::start(&folder, &settings).await, Proxy::start(&folder, &settings).await);
    let addresses = [&old, &new].map(|proxy| (proxy.address.clone(), proxy.admin.clone()));
    let balancer = Arc::new(Balancer { chosen: Mutex::new(old.address.clone()), ..Balancer::default() });
    let visitors: Vec<_> = (0..VISITORS)
        .map(|number| {
            let balancer = Arc::clone(&balancer);
            tokio::spawn(async move {
                if number % 2 == 0 {
                    balancer.visit_over_http1().await;
                } else {
                    balancer.visit_over_http2().await;
                }
            })
        })
        .collect();
    let watching = Arc::clone(&balancer);
    let watch = tokio::spawn(async move { watching.watch(&addresses).await });

    let change = async {
        balancer.has_answered_more().await;
        assert_eq!(balancer.chosen(), old.address);
        old.running.signal(Signal::SIGTERM);
        assert_eq!(old.running.wait(SOON).await, 0, "everything was finished");
        assert_eq!(balancer.chosen(), new.address);
        balancer.has_answered_more().await;
    };
    tokio::time::timeout(SOON, change).await.expect("both proxies answer");
    balancer.is_over.store(true, Relaxed);
    for visitor in visitors {
        visitor.await.expect("no visitor saw a failure");
    }
    watch.await.unwrap();
}

#[tokio::test]
async fn whoever_was_let_in_by_the_system_is_answered() {
    let store = ObjectStore::memory();
    support::publish(&store, "blog", &[("index.html", Bytes::from_static(b"home"))]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1024).unwrap();
    let (address, stopping) = (listener.local_addr().unwrap(), CancellationToken::new());
    let options = Options { grace: SOON, ..Options::default() };
    let server = Server::new(Handler::new(store, &Config::default()), options).listen(listener);

    // They have connected, and some have asked, before the server accepts anybody; and it is told to stop already.
    let mut visitors = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: blog.localhost\r\n\r\n").await.unwrap();
        }
        visitors.push(stream);
    }
    stopping.cancel();
    let serving = tokio::spawn(server.serve(stopping));
    for (number, stream) in visitors.iter_mut().enumerate() {
        if number % 2 == 1 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: blog.localhost\r\n\r\n").await.unwrap();
        }
    }
    for mut stream in visitors {
        let answer = String::from_utf8(rest(&mut stream).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhome"), "{answer:?}");
        assert!(answer.contains("connection: close\r\n"));
    }
    tokio::time::timeout(SOON, serving).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn an_idle_connection_may_ask_once_more() {
    let store = ObjectStore::memory();
    support::publish(&store, "blog", &[("index.html", Bytes::from_static(b"home"))]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stopping) = (listener.local_addr().unwrap(), CancellationToken::new());
    let limits = Limits { last_word: SOON, ..Limits::default() };
    let options = Options { limits, grace: SOON, ..Options::default() };
    let server = Server::new(Handler::new(store, &Config::default()), options).listen(listener);
    let serving = tokio::spawn(server.serve(stopping.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (head, _) = get(&mut stream, "blog.localhost", "/").await;
    assert!(!head.contains("connection: close"), "{head}");

    stopping.cancel();
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (head, page) = get(&mut stream, "blog.localhost", "/").await;
    assert!(head.contains("connection: close\r\n") && page == "home", "{head}");
    assert_eq!(rest(&mut stream).await, b"");
    tokio::time::timeout(SOON, serving).await.expect("it ends").unwrap();
}
