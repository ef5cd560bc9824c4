//! The faults that are put between connections and the protocol.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::net::TcpListener;

use super::Shared;
use super::call::Call;
use super::fault::Fault;
use super::operation::Operation;
use crate::connections::{self, Error};

type Body = UnsyncBoxBody<Bytes, Error>;

/// Serves connections until the task is aborted, which cuts them.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let answer = move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(request, &shared).await }
    };
    connections::accept(listener, answer).await;
}

/// An error ends the connection.
async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Body>, Error> {
    let call = Call::read(&request);
    let fault = shared.faults.lock().expect("no panic while locked").meet(call.operation);
    let under_way = UnderWay { operation: call.operation, shared };
    let answer = meet(fault, request, shared).await;
    drop(under_way);
    let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
    shared.calls.lock().expect("no panic while locked").push(Call { status, ..call });
    answer
}

/// A request that is counted until it has an answer, or the client is gone.
struct UnderWay<'a> {
    operation: Operation,
    shared: &'a Shared,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.shared.faults.lock().expect("no panic while locked").end(self.operation);
    }
}

async fn meet(
    fault: Option<Fault>,
    request: Request<Incoming>,
    shared: &Shared,
) -> Result<Response<Body>, Error> {
    match fault {
        None => carry_out(request, shared).await,
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            carry_out(request, shared).await
        }
        Some(Fault::Status(status)) => refuse(request, status).await,
        Some(Fault::BusyAbove(_)) => refuse(request, 503).await,
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Reset) => Err("reset on demand".into()),
        Some(Fault::LostAnswer) => {
            drop(carry_out(request, shared).await?.into_body().collect().await?);
            Err("answer lost on demand".into())
        }
        Some(Fault::ShortBody) => {
            let end = stream::iter([Err("cut on demand".into())]);
            half(carry_out(request, shared).await?, end).await
        }
        Some(Fault::OtherLength) => {
            let mut answer = half(carry_out(request, shared).await?, stream::empty()).await?;
            let half = answer.headers()[header::CONTENT_LENGTH].to_str()?.parse::<usize>()? / 2;
            answer.headers_mut().insert(header::CONTENT_LENGTH, half.into());
            Ok(answer)
        }
        Some(Fault::StalledBody) => half(carry_out(request, shared).await?, stream::pending()).await,
    }
}

async fn carry_out(request: Request<Incoming>, shared: &Shared) -> Result<Response<Body>, Error> {
    let answer = shared.service.call(request.map(s3s::Body::from)).await?;
    Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
}

async fn refuse(request: Request<Incoming>, status: u16) -> Result<Response<Body>, Error> {
    let code = match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        409 => "ConditionalRequestConflict",
        412 => "PreconditionFailed",
        429 | 503 => "SlowDown",
        501 => "NotImplemented",
        _ => "InternalError",
    };
    let text = format!("<Error><Code>{code}</Code><Message>failed on demand</Message></Error>");
    // A client that is still sending would see a reset instead.
    drop(request.into_body().collect().await?);
    let body = Full::from(text).map_err(|never| match never {}).boxed_unsync();
    Ok(Response::builder().status(status).header(header::CONTENT_TYPE, "application/xml").body(body)?)
}

/// The announced length, half of the content, and then `end`.
async fn half(
    answer: Response<Body>,
    end: impl futures_util::Stream<Item = Result<Frame<Bytes>, Error>> + Send + 'static,
) -> Result<Response<Body>, Error> {
    let (mut head, body) = answer.into_parts();
    let whole = body.collect().await?.to_bytes();
    head.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let start = stream::iter([Ok(Frame::data(whole.slice(..whole.len() / 2)))]);
    // hyper joins what is ready at once and would drop the half together with an error that follows.
    let pause = stream::once(tokio::task::yield_now()).filter_map(async |()| None);
    Ok(Response::from_parts(head, StreamBody::new(start.chain(pause).chain(end)).boxed_unsync()))
}
