//! What hyper itself does, to compare with: `hello-server PORT` answers every request with 10 KiB from memory.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// How much it answers.
const SIZE: usize = 10 << 10;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port: u16 =
        std::env::args().nth(1).context("a port is missing")?.parse().context("this is no port")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let content = Bytes::from(vec![b'x'; SIZE]);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let content = content.clone();
        tokio::spawn(async move {
            let service = service_fn(|_: Request<hyper::body::Incoming>| {
                let mut response = Response::new(Full::new(content.clone()));
                response
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                std::future::ready(Ok::<_, Infallible>(response))
            });
            // A client that goes away is no failure.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}
