//! How much of the proxy one visitor, one site and all of them together may hold, and for how long.

use std::time::Duration;

/// The longest target of a request, in bytes. The path that is looked up is checked again where it is read.
const URI: usize = 8 << 10;

/// How long a visitor may take for the head of a request, or for a form.
pub(crate) const HEAD: Duration = Duration::from_secs(10);

/// The bounds on connections and requests. Tests pass smaller ones than [`Limits::default`].
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a visitor may take for the head of a request, for a PROXY header, and for a TLS handshake.
    pub head: Duration,
    /// How long a connection is kept without a request.
    pub idle: Duration,
    /// How long a visitor who is slower than [`Limits::floor`] is put up with. nginx waits as long for a
    /// visitor who does not read at all: a video that is paused for longer goes on with a range request.
    pub patience: Duration,
    /// How fast a visitor must read while the answer waits for nobody else, in bytes a second.
    pub floor: u64,
    /// How long a connection without a request is still listened to when the server is told to stop: a request that
    /// is on its way is answered, with the word that it was the last one.
    pub last_word: Duration,
    /// How often the other end of an HTTP/2 connection is asked whether it is there, and how long it may take to say so.
    pub ping: Duration,
    /// How large the head of a request may be, in bytes: headers of 16 KiB and the target.
    pub head_bytes: usize,
    /// How many headers a request may have.
    pub headers: usize,
    /// How many requests a connection of HTTP/2 may have under way.
    pub streams: u32,
    /// How many connections there may be.
    pub connections: usize,
    /// How many of them may be from one address. Those of trusted addresses, which pass others on, do not count.
    pub connections_per_address: usize,
    /// How many requests from one address may be under way.
    pub requests_per_address: usize,
    /// How many requests for one host may be under way.
    pub requests_per_site: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HEAD,
            idle: Duration::from_mins(1),
            patience: Duration::from_mins(1),
            floor: 1 << 10,
            last_word: Duration::from_millis(500),
            ping: Duration::from_secs(20),
            head_bytes: (16 << 10) + URI,
            headers: 100,
            streams: 128,
            connections: 20_000,
            connections_per_address: 1_000,
            requests_per_address: 1_000,
            requests_per_site: 2_000,
        }
    }
}
