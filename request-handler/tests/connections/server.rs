//! A server in the test's own process, and visitors of HTTP/1 that are written byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use gitdeploy_store::ObjectStore;
use request_handler::{Config, Handler, Options, Server};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A bound on what takes a moment.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

/// Serves a store.
pub(crate) async fn start(store: &ObjectStore, options: Options) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stopping) = (listener.local_addr().unwrap(), CancellationToken::new());
    let handler = Handler::new(store.clone(), &Config::default());
    tokio::spawn(Server::new(handler, options).listen(listener).serve(stopping.clone()));
    Running { address, _stop: stopping.drop_guard() }
}

impl Running {
    /// A new connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A new connection from another address of this machine, `127.0.0.<last>`.
    pub(crate) async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}

/// Asks for a path at a host, and returns the head of the answer.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, host: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    head(stream).await
}

/// The next head of an answer.
pub(crate) async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        std::io::Result::Ok(())
    };
    tokio::time::timeout(SOON, read).await.expect("an answer comes").unwrap();
    String::from_utf8(head).unwrap()
}

/// Asks for a path, and returns the head and the body, which must have a length.
pub(crate) async fn get<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    path: &str,
) -> (String, String) {
    let head = ask(stream, host, path).await;
    let length = head.split_once("content-length: ").unwrap().1.split_once('\r').unwrap().0;
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// What comes until the connection ends.
pub(crate) async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    // That it ends with an error is an end as well.
    tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("the connection ends").ok();
    bytes
}
