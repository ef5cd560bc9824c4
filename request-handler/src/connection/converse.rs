//! One connection: from its first bytes to its end.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::Version;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::front::{Front, holder};
use super::opening::{self, Http, OpeningError};
use super::progress::Progress;
use super::turned_away;
use super::watch::{End, Watch};
use super::wire::Wire;
use crate::metrics::Refused;
use crate::visitor::Peer;

/// How much of an answer waits inside HTTP/2 for the visitor's window, in bytes.
const SEND_BUFFER: usize = 64 << 10;

/// How much a visitor may send before we take it, in bytes: the least that HTTP/2 has, as sites take no bodies.
const WINDOW: u32 = 65_535;

/// How many streams that the visitor has reset may wait to be looked at. More are an attack (CVE-2023-44487).
const RESET_STREAMS: usize = 20;

/// How many streams may end by a mistake of the visitor before the connection ends.
const FAULTY_STREAMS: usize = 100;

/// Serves what a visitor asks over a connection, until either side ends it.
pub(crate) async fn converse(
    socket: TcpStream,
    peer: Peer,
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    stopping: CancellationToken,
) {
    if let Err(Ended(Some(reason))) = admit(socket, peer, tls, &front, stopping).await {
        front.metrics.refused(reason);
    }
}

/// A connection ended before its first request; with a reason, if it was us who ended it.
struct Ended(Option<Refused>);

/// Finds out whose connection it is and what is spoken, and speaks it.
async fn admit(
    mut socket: TcpStream,
    mut peer: Peer,
    tls: Option<TlsAcceptor>,
    front: &Arc<Front>,
    stopping: CancellationToken,
) -> Result<(), Ended> {
    let (mut early, progress) = (BytesMut::new(), Arc::new(Progress::default()));
    let (deadline, last_word) = (Instant::now() + front.limits.head, front.limits.last_word);
    if front.has_proxy_headers && front.trust.covers(peer.address) {
        let proxied = opening::proxied(&mut socket, &mut early, peer);
        peer = opened(proxied, deadline, last_word, &stopping).await?.map_err(|error| match error {
            OpeningError::Io(_) => Ended(None),
            OpeningError::ProxyHeader => {
                tracing::warn!(address = %peer.address, "{error}");
                Ended(Some(Refused::ProxyHeader))
            }
        })?;
    }
    // Of a neighbour that passes others on there may be any number of connections.
    let seat = (!front.trust.covers(peer.address)).then(|| front.connections.take(holder(peer.address)));
    if matches!(seat, Some(None)) {
        if tls.is_none() {
            turned_away::say(socket, turned_away::TOO_MANY).await;
        }
        return Err(Ended(Some(Refused::AddressConnections)));
    }
    let Some(tls) = tls else {
        let version =
            opened(opening::version(&mut socket, &mut early), deadline, last_word, &stopping).await?;
        let http = version.map_err(|_| Ended(None))?;
        let wire = Wire::new(socket, early, Arc::clone(&progress));
        Box::pin(speak(http, wire, peer, front, progress, stopping)).await;
        return Ok(());
    };
    peer.is_secure = true;
    let handshake = Box::pin(tls.accept(Wire::new(socket, early, Arc::clone(&progress))));
    let stream = opened(handshake, deadline, last_word, &stopping).await?.map_err(|error| {
        tracing::debug!(%error, "a TLS handshake failed");
        Ended(Some(Refused::Tls))
    })?;
    let http = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Http::Two,
        _ => Http::One,
    };
    Box::pin(speak(http, stream, peer, front, progress, stopping)).await;
    Ok(())
}

/// What comes first on a connection, unless it does not come in time.
async fn opened<T>(
    opening: impl Future<Output = T>,
    deadline: Instant,
    last_word: Duration,
    stopping: &CancellationToken,
) -> Result<T, Ended> {
    let stopped = async {
        stopping.cancelled().await;
        tokio::time::sleep(last_word).await;
    };
    tokio::select! {
        opened = opening => Ok(opened),
        () = tokio::time::sleep_until(deadline) => Err(Ended(Some(Refused::SlowOpening))),
        () = stopped => Err(Ended(None)),
    }
}

async fn speak(
    http: Http,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    front: &Arc<Front>,
    progress: Arc<Progress>,
    stopping: CancellationToken,
) {
    let service = {
        let (front, progress) = (Arc::clone(front), Arc::clone(&progress));
        // Boxed, so that a connection holds the memory for an answer only while there is one.
        service_fn(move |request| {
            let answer = Box::pin(Arc::clone(&front).answer(request, peer, Arc::clone(&progress)));
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let stream = TokioIo::new(stream);
    let limits = &front.limits;
    match http {
        Http::One => {
            let _counted = front.metrics.connected(Version::HTTP_11);
            let mut http = http1::Builder::new();
            // The number of headers is limited in `front`: hyper's own limit is 100 as well, and a hundred that are
            // not named by the builder are read on the stack. The watch is the timer.
            http.header_read_timeout(None).max_header_size(limits.head_bytes).max_buf_size(limits.head_bytes);
            drive(http.serve_connection(stream, service), true, front, &progress, &stopping).await;
        }
        Http::Two => {
            let _counted = front.metrics.connected(Version::HTTP_2);
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new())
                .keep_alive_interval(limits.ping)
                .keep_alive_timeout(limits.ping)
                .max_concurrent_streams(limits.streams)
                .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
                .max_send_buf_size(SEND_BUFFER)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_pending_accept_reset_streams(RESET_STREAMS)
                .max_local_error_reset_streams(FAULTY_STREAMS);
            drive(http.serve_connection(stream, service), false, front, &progress, &stopping).await;
        }
    }
}

/// Where a connection stands when the proxy is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drain {
    NotYet,
    /// A request may still come until then.
    LastWord(Instant),
    /// The connection ends with the requests that are under way.
    Asked,
}

/// Carries a connection on until it ends, or the watch says that it must.
async fn drive<C>(
    connection: C,
    has_heads: bool,
    front: &Front,
    progress: &Progress,
    stopping: &CancellationToken,
) where
    C: GracefulConnection,
    C::Error: Error,
{
    let mut connection = pin!(connection);
    let (limits, mut drain) = (&front.limits, Drain::NotYet);
    let mut watch = Watch::new(Instant::now());
    let mut look_at = Instant::now() + limits.tick();
    loop {
        let wake_at = match drain {
            Drain::LastWord(until) => look_at.min(until),
            Drain::NotYet | Drain::Asked => look_at,
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = tokio::time::sleep_until(wake_at) => {}
            () = stopping.cancelled(), if drain == Drain::NotYet => {
                drain = Drain::LastWord(Instant::now() + limits.last_word);
                if !has_heads {
                    // In HTTP/2 this is said to the visitor, and what is on its way is answered.
                    connection.as_mut().graceful_shutdown();
                    drain = Drain::Asked;
                }
                continue;
            }
        }
        let (now, seen) = (Instant::now(), progress.seen());
        if matches!(drain, Drain::LastWord(until) if until <= now) {
            // A head that is half there is still waited for, as long as any other.
            drain = Drain::LastWord(now + limits.last_word);
            if seen.is_answering || !seen.has_read {
                connection.as_mut().graceful_shutdown();
                drain = Drain::Asked;
            }
        }
        if now < look_at {
            continue;
        }
        look_at = now + limits.tick();
        let Some(end) = watch.look(now, seen, has_heads, front.is_crowded(), limits) else { continue };
        match end {
            End::Idle => {}
            End::SlowHead => front.metrics.refused(Refused::SlowHead),
            End::SlowReader => front.metrics.refused(Refused::SlowReader),
        }
        if end == End::SlowReader || has_heads || drain == Drain::Asked {
            return;
        }
        connection.as_mut().graceful_shutdown();
        drain = Drain::Asked;
    }
}
