//! Connections: accepted, bounded, answered and drained.

mod accept;
mod converse;
mod front;
mod limits;
mod occupancy;
mod opening;
mod progress;
mod sent;
mod turned_away;
mod watch;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::handler::Handler;
use crate::readiness::{Readiness, Stage};
use crate::tls::Certificates;
use crate::visitor::Trust;
use accept::Port;
use front::Front;
pub(crate) use front::holder;
pub(crate) use limits::HEAD;
pub use limits::Limits;
pub(crate) use occupancy::Occupancy;

/// How a server treats its connections.
#[derive(Debug, Default)]
pub struct Options {
    /// How much visitors and sites may hold.
    pub limits: Limits,
    /// Which neighbours are believed.
    pub trust: Trust,
    /// Whether these begin their connections with a header of the PROXY protocol.
    pub has_proxy_headers: bool,
    /// Where answers are told of.
    pub access_log: Option<AccessLog>,
    /// What is told whether requests should come here.
    pub readiness: Readiness,
    /// How long connections are still accepted once the server is told to stop.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that.
    pub grace: Duration,
}

/// A server of HTTP/1 and HTTP/2 on any number of ports.
pub struct Server {
    front: Arc<Front>,
    ports: Vec<Port>,
    drain_delay: Duration,
    grace: Duration,
}

/// Serves what comes in on `listener` until `stopping`, then finishes the requests in flight for at most `grace`.
pub async fn serve(
    listener: TcpListener,
    handler: Handler,
    stopping: CancellationToken,
    grace: Duration,
) -> anyhow::Result<()> {
    Server::new(handler, Options { grace, ..Options::default() }).listen(listener).serve(stopping).await;
    Ok(())
}

impl Server {
    /// A server without a port.
    pub fn new(handler: Handler, options: Options) -> Self {
        let limits = options.limits;
        let front = Front {
            metrics: handler.metrics(),
            handler,
            trust: options.trust,
            has_proxy_headers: options.has_proxy_headers,
            readiness: options.readiness,
            log: options.access_log,
            places: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            connections: Occupancy::new(limits.connections_per_address),
            requests: Occupancy::new(limits.requests_per_address),
            sites: Occupancy::new(limits.requests_per_site),
            limits,
        };
        let (drain_delay, grace) = (options.drain_delay, options.grace);
        Self { front: Arc::new(front), ports: Vec::new(), drain_delay, grace }
    }

    /// Adds a port without TLS.
    #[must_use]
    pub fn listen(mut self, listener: TcpListener) -> Self {
        self.ports.push(Port { listener, tls: None });
        self
    }

    /// Adds a port with TLS.
    #[must_use]
    pub fn listen_tls(mut self, listener: TcpListener, certificates: &Certificates) -> Self {
        self.ports.push(Port { listener, tls: Some(certificates.acceptor()) });
        self
    }

    /// Serves until `stopping` and after that until the last request has ended, or the grace.
    pub async fn serve(self, stopping: CancellationToken) {
        let Self { front, ports, drain_delay, grace } = self;
        let closing = CancellationToken::new();
        let serve = |port| accept::serve(port, Arc::clone(&front), closing.clone(), grace);
        let serving = join_all(ports.into_iter().map(serve));
        let stop = async {
            stopping.cancelled().await;
            front.readiness.enter(Stage::Draining);
            tokio::time::sleep(drain_delay).await;
            closing.cancel();
        };
        tokio::join!(stop, serving);
    }
}
