//! What is sent to a visitor: bytes that are there, or pieces as they come.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use hyper::body::{Frame, SizeHint};

/// Why a body ends before its end.
pub(crate) type BodyError = Box<dyn Error + Send + Sync>;

/// Pieces of a body, as they come.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, BodyError>>;

/// What is sent to a visitor. Most of it is in memory, and takes no allocation of its own.
pub struct Body(Source);

enum Source {
    /// Bytes that are there; none once they are sent.
    Full(Bytes),
    /// Pieces as they come. What has failed has no more of them.
    Pieces(Option<Pieces>),
}

/// A body of bytes that are there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Body(Source::Full(bytes.into()))
}

/// A body of pieces.
pub(super) fn of_pieces(pieces: Pieces) -> Body {
    Body(Source::Pieces(Some(pieces)))
}

impl Body {
    /// The same as pieces, to be put into another body.
    pub(super) fn into_pieces(self) -> Pieces {
        match self.0 {
            Source::Full(bytes) => stream::once(async { Ok(bytes) }).boxed(),
            Source::Pieces(pieces) => pieces.unwrap_or_else(|| stream::empty().boxed()),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Source::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Pieces(source) => {
                let Some(pieces) = source else { return Poll::Ready(None) };
                let next = std::task::ready!(pieces.next().poll_unpin(task));
                if !matches!(next, Some(Ok(_))) {
                    *source = None;
                }
                Poll::Ready(next.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Full(bytes) => bytes.is_empty(),
            Source::Pieces(pieces) => pieces.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Pieces(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_to_its_end() {
        assert_eq!(full("hello").collect().await.unwrap().to_bytes(), "hello");
        assert!(hyper::body::Body::is_end_stream(&full("")));
        let pieces = stream::iter(["a", "b"]).map(|piece| Ok(Bytes::from(piece))).boxed();
        assert_eq!(of_pieces(pieces).collect().await.unwrap().to_bytes(), "ab");
    }

    #[tokio::test]
    async fn a_body_that_fails_has_no_more_pieces() {
        let pieces = stream::iter([Err("it broke".into()), Ok(Bytes::from("more"))]).boxed();
        let mut body = of_pieces(pieces);
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
        assert_eq!(full("x").into_pieces().next().await.unwrap().unwrap(), "x");
    }
}
