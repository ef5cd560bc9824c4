//! The body of an answer on its way, and what is told when it has ended.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};

use super::front::Front;
use super::occupancy::Seat;
use super::progress::OpenAnswer;
use crate::body::Body;
use crate::exchange::Exchange;

/// How much is handed over at once, in bytes: so that what is counted as sent is little more than what was, and
/// a slow visitor holds little beside the cache.
const PIECE: usize = 64 << 10;

/// A body that is counted. Dropped, it has ended.
pub(crate) struct Sent {
    body: Body,
    /// What of the body was taken and not yet handed over.
    rest: Bytes,
    bytes: u64,
    ending: Option<Ending>,
}

/// What is done when an answer has ended.
pub(crate) struct Ending {
    pub(crate) exchange: Box<Exchange>,
    pub(crate) open: OpenAnswer,
    /// What the visitor and the site hold meanwhile.
    pub(crate) _seats: [Option<Seat>; 2],
    /// How long the body is said to be.
    pub(crate) expected: Option<u64>,
    pub(crate) front: Arc<Front>,
}

impl Sent {
    pub(crate) fn new(body: Body, mut ending: Ending) -> Self {
        ending.open.starves(false);
        Self { body, rest: Bytes::new(), bytes: 0, ending: Some(ending) }
    }

    fn starves(&mut self, is_starved: bool) {
        if let Some(ending) = &mut self.ending {
            ending.open.starves(is_starved);
        }
    }

    fn end(&mut self, is_whole: bool) {
        if let Some(ending) = self.ending.take() {
            ending.tell(self.bytes, is_whole);
        }
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            let polled = Pin::new(&mut this.body).poll_frame(context);
            this.starves(polled.is_pending());
            match ready!(polled) {
                None => {
                    this.end(true);
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    this.end(false);
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        this.bytes += piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        // hyper asks no further once it has as many bytes as the head of the answer says.
        let is_whole = match self.ending.as_ref().and_then(|ending| ending.expected) {
            Some(expected) => self.bytes >= expected,
            None => self.is_end_stream(),
        };
        self.end(is_whole);
    }
}

impl Ending {
    fn tell(self, bytes: u64, is_whole: bool) {
        let Self { mut exchange, front, .. } = self;
        exchange.duration = exchange.begin.elapsed();
        (exchange.bytes, exchange.is_whole) = (bytes, is_whole);
        front.metrics.answered(&exchange);
        let Some(log) = &front.log else { return };
        exchange.ended = SystemTime::now();
        if !log.tell(exchange) {
            front.metrics.lost_log_lines.inc();
        }
    }
}
