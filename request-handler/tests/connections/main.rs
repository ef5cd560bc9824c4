//! Connections over real sockets, from the first byte to the last: limits, TLS, neighbours, what the operator sees,
//! and what becomes of them when the process is told to stop.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "../support/mod.rs"]
mod support;

mod drain;
mod http2;
mod limits;
mod many;
mod operation;
mod process;
mod server;
mod tls;
