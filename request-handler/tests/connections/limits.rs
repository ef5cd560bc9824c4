//! What visitors and sites may hold, over real sockets: each limit, and that others do not feel it.

use std::time::Duration;

use crate::server;
use crate::server::{Running, SOON, ask, get, rest};
use crate::support;
use bytes::Bytes;
use gitdeploy_store::ObjectStore;
use h2::Reason;
use h2::client::SendRequest;
use http::{Request, StatusCode};
use request_handler::{Limits, Options};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;

/// More than the buffers between two sockets hold.
const LARGE: usize = 32 << 20;

/// A limit that is soon reached.
const SHORT: Duration = Duration::from_millis(200);

async fn start(limits: Limits) -> Running {
    let store = ObjectStore::memory();
    for site in ["blog", "docs"] {
        let files = [("index.html", Bytes::from_static(b"home")), ("large.bin", Bytes::from(vec![1; LARGE]))];
        support::publish(&store, site, &files).await;
    }
    server::start(&store, Options { limits, ..Options::default() }).await
}

/// A visitor of HTTP/2, and how the connection ends.
async fn http2(running: &Running) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (visitor, connection) = h2::client::handshake(running.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    (visitor.ready().await.unwrap(), connection)
}

/// Kinds of frames and their flags (RFC 9113 §6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

fn request(path: &str) -> Request<()> {
    Request::get(format!("http://blog.localhost{path}")).version(http::Version::HTTP_2).body(()).unwrap()
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let running = start(Limits { head: SHORT, ..Limits::default() }).await;
    let head = "GET / HTTP/1.1\r\nHost: blog.localhost\r\n";
    for (begin, slowly) in [("", ""), ("G", "E"), ("PRI * HTTP/2.0\r\n", ""), (head, "X-Slow: 1\r\n")] {
        let mut stream = running.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        let drip = async {
            while write.write_all(slowly.as_bytes()).await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        tokio::select! {
            bytes = rest(&mut read) => assert_eq!(bytes, b"", "after `{begin}`"),
            () = drip => {}
        }
    }
    let mut second = running.connect().await;
    get(&mut second, "blog.localhost", "/").await;
    second.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(rest(&mut second).await, b"", "later heads are bounded as well");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let running = start(Limits { idle: SHORT, ..Limits::default() }).await;
    let mut stream = running.connect().await;
    get(&mut stream, "blog.localhost", "/").await;
    assert_eq!(rest(&mut stream).await, b"");
    let (_visitor, connection) = http2(&running).await;
    tokio::time::timeout(SOON, connection).await.expect("it is closed").unwrap().unwrap();
}

#[tokio::test]
async fn a_visitor_who_does_not_read_is_cut_off() {
    let running = start(Limits { patience: SHORT, ..Limits::default() }).await;
    let mut stream = running.connect().await;
    assert!(ask(&mut stream, "blog.localhost", "/large.bin").await.starts_with("HTTP/1.1 200 OK\r\n"));
    tokio::time::sleep(SHORT * 4).await;
    assert!(rest(&mut stream).await.len() < LARGE);

    // In HTTP/2 the socket takes everything, and the windows are what holds the answer up.
    let (mut visitor, connection) = http2(&running).await;
    let response = visitor.send_request(request("/large.bin"), true).unwrap().0.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let ended = tokio::time::timeout(SOON, connection).await.expect("the connection ends").unwrap();
    drop((response, ended));
}

#[tokio::test]
async fn a_visitor_who_reads_slowly_gets_everything() {
    let running = start(Limits { patience: SHORT, floor: 1 << 10, ..Limits::default() }).await;
    let mut stream = running.connect().await;
    ask(&mut stream, "blog.localhost", "/large.bin").await;
    let (mut bytes, mut piece) = (0, vec![0; 1 << 20]);
    while bytes < LARGE {
        bytes += tokio::io::AsyncReadExt::read(&mut stream, &mut piece).await.unwrap();
        tokio::time::sleep(SHORT / 20).await;
    }
    let (mut visitor, connection) = http2(&running).await;
    let response = visitor.send_request(request("/large.bin"), true).unwrap().0.await.unwrap();
    let (mut body, mut bytes) = (response.into_body(), 0);
    while let Some(piece) = body.data().await {
        let length = piece.unwrap().len();
        body.flow_control().release_capacity(length).unwrap();
        bytes += length;
    }
    assert_eq!(bytes, LARGE);
    drop((visitor, connection));
}

#[tokio::test]
async fn a_head_has_a_size() {
    let running = start(Limits::default()).await;
    let status = async |head: String| {
        let mut stream = running.connect().await;
        stream.write_all(format!("GET {head}\r\n\r\n").as_bytes()).await.unwrap();
        server::head(&mut stream).await.split(' ').nth(1).unwrap().to_owned()
    };
    let headers = |count: usize| "X: y\r\n".repeat(count);
    let host = "HTTP/1.1\r\nHost: blog.localhost\r\n";
    assert_eq!(status(format!("/ {host}{}", headers(99).trim_end())).await, "200");
    assert_eq!(status(format!("/ {host}{}", headers(100).trim_end())).await, "431");
    assert_eq!(status(format!("/ {host}X: {}", "x".repeat(15 << 10))).await, "200");
    assert_eq!(status(format!("/ {host}X: {}", "x".repeat(24 << 10))).await, "431");
    assert_eq!(status(format!("/{} {host}X: y", "x".repeat(9 << 10))).await, "414");

    let (mut visitor, connection) = http2(&running).await;
    let mut many = request("/");
    for _ in 0..100 {
        many.headers_mut().append("x", "y".parse().unwrap());
    }
    let response = visitor.send_request(many, true).unwrap().0.await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let mut large = request("/");
    large.headers_mut().append("x", "y".repeat(24 << 10).parse().unwrap());
    let refused = visitor.ready().await.unwrap().send_request(large, true).unwrap().0.await;
    assert!(refused.is_err() || refused.unwrap().status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    drop(connection);
}

#[tokio::test]
async fn a_request_line_that_is_no_text_is_refused_by_hyper() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /\xff HTTP/1.1\r\nHost: blog.localhost\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(rest(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn who_does_not_answer_over_http2_is_gone() {
    let running = start(Limits { ping: SHORT, ..Limits::default() }).await;
    let mut silent = running.connect().await;
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    silent.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    rest(&mut silent).await;
    let (visitor, connection) = http2(&running).await;
    tokio::time::sleep(4 * SHORT).await;
    assert!(!connection.is_finished(), "who answers stays");
    drop(visitor);
}

#[tokio::test]
async fn an_http2_connection_has_a_number_of_streams() {
    let running = start(Limits { streams: 3, ..Limits::default() }).await;
    let (visitor, _connection) = http2(&running).await;
    let known = async {
        while visitor.current_max_send_streams() != 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, known).await.expect("the server says it");
}

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let running = start(Limits::default()).await;
    let reset = |stream| frame(RST_STREAM, 0, stream, &u32::from(Reason::CANCEL).to_be_bytes());
    assert_eq!(end_of_attack(&running, reset).await, [Reason::ENHANCE_YOUR_CALM]);
    let mut another = running.connect().await;
    assert_eq!(get(&mut another, "blog.localhost", "/").await.1, "home");
}

#[tokio::test]
async fn streams_that_we_are_made_to_reset_end_the_connection() {
    let running = start(Limits::default()).await;
    // A window that grows beyond its limit is a mistake on that stream (RFC 9113 §6.9.1; CVE-2025-8671).
    let provoke = |stream| frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes());
    assert_eq!(end_of_attack(&running, provoke).await, [Reason::ENHANCE_YOUR_CALM]);
}

/// Asks a thousand times, each followed by a frame for the same stream, and returns the reasons that we are given.
async fn end_of_attack(running: &Running, then: impl Fn(u32) -> Vec<u8>) -> Vec<Reason> {
    let mut stream = running.connect().await;
    let mut attack = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    attack.extend(frame(SETTINGS, 0, 0, b""));
    for number in (1..2000).step_by(2) {
        // `GET http://blog.localhost/`, of which only the host is not in HPACK's table.
        let head = [b"\x82\x86\x84\x41\x0e", &b"blog.localhost"[..]].concat();
        attack.extend(frame(HEADERS, END_STREAM | END_HEADERS, number, &head));
        attack.extend(then(number));
    }
    // The server may have had enough before it has read everything.
    stream.write_all(&attack).await.ok();
    let said = rest(&mut stream).await;
    let (mut unread, mut reasons) = (&said[..], Vec::new());
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = unread {
        let (payload, next) = after.split_at(u32::from_be_bytes([0, *a, *b, *c]) as usize);
        if *kind == GO_AWAY {
            reasons.push(Reason::from(u32::from_be_bytes(payload[4..8].try_into().unwrap())));
        }
        unread = next;
    }
    reasons
}

#[tokio::test]
async fn an_address_has_a_number_of_connections() {
    let running = start(Limits { connections_per_address: 2, ..Limits::default() }).await;
    let mut held = [running.connect().await, running.connect().await];
    for stream in &mut held {
        get(stream, "blog.localhost", "/").await;
    }
    let mut third = running.connect().await;
    let answer = ask(&mut third, "blog.localhost", "/").await;
    assert!(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n") && answer.contains("Retry-After: "));
    assert!(String::from_utf8(rest(&mut third).await).unwrap().contains("too many connections"));
    let mut neighbour = running.connect_from(2).await;
    assert_eq!(get(&mut neighbour, "blog.localhost", "/").await.1, "home");
    drop(held);
    until_served(&running).await;
}

#[tokio::test]
async fn there_is_a_number_of_connections() {
    let running = start(Limits { connections: 2, ..Limits::default() }).await;
    let mut held = [running.connect().await, running.connect_from(2).await];
    for stream in &mut held {
        get(stream, "blog.localhost", "/").await;
    }
    let mut third = running.connect_from(3).await;
    let answer = ask(&mut third, "blog.localhost", "/").await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && answer.contains("Retry-After: "));
    drop(held);
    until_served(&running).await;
}

#[tokio::test]
async fn the_last_places_are_not_kept_by_who_does_not_use_them() {
    let running = start(Limits { connections: 20, ..Limits::default() }).await;
    let mut kept = Vec::new();
    for place in 1..=20 {
        let mut stream = running.connect().await;
        let (head, page) = get(&mut stream, "blog.localhost", "/").await;
        assert_eq!(page, "home");
        assert_eq!(head.contains("connection: close\r\n"), place > 18, "place {place}: {head}");
        if place == 20 {
            assert_eq!(rest(&mut stream).await, b"");
        }
        // Those who have to go stay as long as they can.
        kept.push(stream);
    }
}

#[tokio::test]
async fn a_site_has_a_number_of_requests_and_others_do_not_feel_it() {
    let running = start(Limits { requests_per_site: 2, ..Limits::default() }).await;
    let mut held = [running.connect().await, running.connect().await];
    for stream in &mut held {
        ask(stream, "blog.localhost", "/large.bin").await;
    }
    let mut another = running.connect_from(2).await;
    for host in ["blog.localhost", "BLOG.localhost.:80"] {
        let (answer, page) = get(&mut another, host, "/").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
        assert!(page.contains("This site is busy"));
    }
    assert_eq!(get(&mut another, "docs.localhost", "/").await.1, "home");
    drop(held);
    until_served(&running).await;
}

#[tokio::test]
async fn an_address_has_a_number_of_requests_over_any_connections() {
    let running = start(Limits { requests_per_address: 2, ..Limits::default() }).await;
    let (mut visitor, _connection) = http2(&running).await;
    let ask = |visitor: &mut SendRequest<Bytes>| visitor.send_request(request("/large.bin"), true).unwrap().0;
    let held = [ask(&mut visitor).await.unwrap(), ask(&mut visitor).await.unwrap()];
    let third = ask(&mut visitor).await.unwrap();
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    let mut other = running.connect().await;
    assert!(get(&mut other, "blog.localhost", "/").await.0.starts_with("HTTP/1.1 429 "));
    let mut neighbour = running.connect_from(2).await;
    assert_eq!(get(&mut neighbour, "blog.localhost", "/").await.1, "home");
    drop(held);
    until_served(&running).await;
}

/// Waits until the server has seen that there is room again.
async fn until_served(running: &Running) {
    let served = async {
        loop {
            let mut stream = running.connect().await;
            if get(&mut stream, "blog.localhost", "/").await.0.starts_with("HTTP/1.1 200 ") {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, served).await.expect("there is room again");
}
