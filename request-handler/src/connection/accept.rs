//! Connections: how they are accepted, turned away and drained.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::converse::converse;
use super::front::Front;
use super::turned_away;
use crate::metrics::Refused;
use crate::visitor::Peer;

/// How long nothing is accepted after accepting has failed, for example for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How long connections are accepted that have begun before the proxy was told to stop.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How many visitors are told at the same time that there is no place for them. Others find the connection closed.
const TURNED_AWAY: usize = 256;

/// A port, and what is spoken there.
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Serves what comes in on a port until `closing`, then finishes the requests in flight for at most `grace`.
pub(crate) async fn serve(port: Port, front: Arc<Front>, closing: CancellationToken, grace: Duration) {
    let Port { listener, tls } = port;
    let mut visits = Visits { tls, front, closing: closing.clone(), connections: JoinSet::new() };
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            Some(ended) = visits.connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => visits.begin(socket, address),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    visits.take_the_last(listener).await;
    visits.drain(grace).await;
}

/// The connections of a port.
struct Visits {
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    closing: CancellationToken,
    connections: JoinSet<()>,
}

impl Visits {
    fn begin(&mut self, socket: TcpStream, address: SocketAddr) {
        let peer = Peer { address: address.ip().to_canonical(), is_secure: false };
        prepare(&socket, self.front.limits.patience);
        let Ok(place) = Arc::clone(&self.front.places).try_acquire_owned() else {
            self.front.metrics.refused(Refused::Connections);
            if self.tls.is_none()
                && self.connections.len() < self.front.limits.connections.saturating_add(TURNED_AWAY)
            {
                self.connections.spawn(turned_away::say(socket, turned_away::FULL));
            }
            return;
        };
        let (front, closing, tls) = (Arc::clone(&self.front), self.closing.clone(), self.tls.clone());
        self.connections.spawn(async move {
            converse(socket, peer, tls, front, closing).await;
            drop(place);
        });
    }

    /// Accepts what the system has accepted for us already: these visitors would be cut off. None is added to them
    /// meanwhile, as the queue is made as short as it can be.
    async fn take_the_last(&mut self, listener: TcpListener) {
        if let Err(error) = SockRef::from(&listener).listen(0) {
            tracing::debug!(%error, "cannot shorten the queue of connections");
        }
        let deadline = Instant::now() + LAST_CALL;
        while let Ok(Ok((socket, address))) = tokio::time::timeout_at(deadline, listener.accept()).await {
            self.begin(socket, address);
        }
        while let Some(Ok((socket, address))) = listener.accept().now_or_never() {
            self.begin(socket, address);
        }
    }

    async fn drain(&mut self, grace: Duration) {
        let drained = async {
            while let Some(ended) = self.connections.join_next().await {
                report(ended);
            }
        };
        if tokio::time::timeout(grace, drained).await.is_err() {
            tracing::warn!(
                connections = self.connections.len(),
                "closing connections that did not end in time"
            );
            self.connections.shutdown().await;
        }
    }
}

fn prepare(socket: &TcpStream, patience: Duration) {
    // What is still in the system's buffers after the connection has ended is given up as well.
    let prepared =
        socket.set_nodelay(true).and_then(|()| SockRef::from(socket).set_tcp_user_timeout(Some(patience)));
    if let Err(error) = prepared {
        tracing::debug!(%error, "cannot set the options of a connection");
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}
