//! HTTP/2 with clients that begin with it, beside HTTP/1 on the same port.

use bytes::Bytes;
use gitdeploy_store::ObjectStore;
use h2::client::SendRequest;
use http::{Method, Request, Response, StatusCode};
use request_handler::Options;

use crate::server::{self, Running, get};
use crate::support;

/// More than what waits in one piece, and less than what is streamed from the store.
const MEDIUM: usize = 300 << 10;

async fn start() -> Running {
    let store = ObjectStore::memory();
    let files = [("index.html", Bytes::from_static(b"home")), ("medium.bin", Bytes::from(vec![1; MEDIUM]))];
    support::publish(&store, "blog", &files).await;
    server::start(&store, Options::default()).await
}

async fn visitor(running: &Running) -> SendRequest<Bytes> {
    let (visitor, connection) = h2::client::handshake(running.connect().await).await.unwrap();
    tokio::spawn(connection);
    visitor.ready().await.unwrap()
}

fn request(method: Method, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://blog.localhost{path}")).body(()).unwrap()
}

async fn answer(visitor: &SendRequest<Bytes>, request: Request<()>) -> (Response<()>, Vec<u8>) {
    let mut visitor = visitor.clone().ready().await.unwrap();
    let (head, mut body) = visitor.send_request(request, true).unwrap().0.await.unwrap().into_parts();
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend(piece);
    }
    (Response::from_parts(head, ()), bytes)
}

#[tokio::test]
async fn both_versions_are_answered_alike() {
    let running = start().await;
    let visitor = visitor(&running).await;
    let (head, body) = answer(&visitor, request(Method::GET, "/")).await;
    assert_eq!((head.status(), &body[..]), (StatusCode::OK, &b"home"[..]));
    assert_eq!(get(&mut running.connect().await, "blog.localhost", "/").await.1, "home");
    let (head, body) = answer(&visitor, request(Method::HEAD, "/")).await;
    assert_eq!((&head.headers()["content-length"], &body[..]), (&"4".parse().unwrap(), &b""[..]));
    let (head, _) = answer(&visitor, request(Method::DELETE, "/")).await;
    assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED);
    let mut ranged = request(Method::GET, "/medium.bin");
    ranged.headers_mut().insert("range", "bytes=10-19".parse().unwrap());
    let (head, body) = answer(&visitor, ranged).await;
    assert_eq!((head.status(), body.len()), (StatusCode::PARTIAL_CONTENT, 10));
}

#[tokio::test]
async fn many_answers_share_a_connection() {
    let running = start().await;
    let visitor = visitor(&running).await;
    let visits = (0..100).map(|_| answer(&visitor, request(Method::GET, "/medium.bin")));
    for (head, body) in futures_util::future::join_all(visits).await {
        assert_eq!((head.status(), body), (StatusCode::OK, vec![1; MEDIUM]));
    }
}

#[tokio::test]
async fn there_is_one_host() {
    let running = start().await;
    let visitor = visitor(&running).await;
    for (host, status) in [("blog.localhost", StatusCode::OK), ("other.localhost", StatusCode::BAD_REQUEST)] {
        let mut request = request(Method::GET, "/");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(answer(&visitor, request).await.0.status(), status, "{host}");
    }
}
