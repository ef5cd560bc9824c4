//! From a request on the wire to the service that it is for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::Value;

use super::answer::{Outcome, Protocol, Refusal, answer};
use super::fault::{Fault, denied};
use super::state::{Recorded, Shared};
use super::sts::Session;
use super::{ACCESS_KEY, ecs, sqs};
use crate::connections::Error;

/// For how long a received message is hidden, unless the request says otherwise.
pub(super) const HIDDEN: Duration = Duration::from_secs(30);

/// A call, read from its request.
#[derive(Debug)]
struct Call {
    protocol: Protocol,
    operation: String,
    body: Value,
    access_key: Option<String>,
}

/// An error ends the connection.
pub(super) async fn serve(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let call = match Call::read(&head, &body) {
        Ok(call) => call,
        Err((protocol, refusal)) => return Ok(answer(protocol, Err(refusal))?),
    };
    let Call { protocol, operation, .. } = &call;
    let (protocol, operation) = (*protocol, operation.clone());
    let fault = shared.with(|state| {
        state.recorded.push(Recorded { operation: operation.clone(), body: call.body.clone() });
        state.faults.meet(&operation)
    });
    if let Some(refusal) = fault.and_then(|fault| fault.refusal(protocol, &operation)) {
        return Ok(answer(protocol, Err(refusal))?);
    }
    if fault == Some(Fault::Reset) {
        return Err("reset on demand".into());
    }
    let outcome = call.carry_out(&shared).await;
    if fault == Some(Fault::LostAnswer) {
        return Err("answer lost on demand".into());
    }
    Ok(answer(protocol, outcome)?)
}

impl Call {
    fn read(head: &Parts, body: &[u8]) -> Result<Self, (Protocol, Refusal)> {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let target = text("x-amz-target").and_then(|target| target.split_once('.'));
        let (protocol, operation) = match target {
            Some(("AmazonEC2ContainerServiceV20141113", operation)) => {
                (Protocol::Json11, operation.to_owned())
            }
            Some(("AmazonSQS", operation)) => (Protocol::Json10, operation.to_owned()),
            Some((service, _)) => {
                let message = format!("`{service}` is not there in this AWS");
                return Err((Protocol::Json11, Refusal::new("UnknownOperationException", message)));
            }
            None => (Protocol::Query, String::new()),
        };
        let expected = match protocol {
            Protocol::Json11 => "application/x-amz-json-1.1",
            Protocol::Json10 => "application/x-amz-json-1.0",
            Protocol::Query => "application/x-www-form-urlencoded",
        };
        let content_type = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        if !content_type.starts_with(expected) {
            let message = format!("the content type is `{content_type}` and should be `{expected}`");
            return Err((protocol, Refusal::new("UnknownOperationException", message).status(404)));
        }
        let access_key = text(header::AUTHORIZATION.as_str()).and_then(access_key).map(str::to_owned);
        let body: Value = match protocol {
            Protocol::Json11 | Protocol::Json10 => serde_json::from_slice(body)
                .map_err(|error| (protocol, Refusal::new("SerializationException", error.to_string())))?,
            Protocol::Query => {
                let pairs = url::form_urlencoded::parse(body);
                Value::Object(
                    pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect(),
                )
            }
        };
        let operation = match body.get("Action").and_then(Value::as_str) {
            Some(action) if protocol == Protocol::Query => action.to_owned(),
            _ => operation,
        };
        Ok(Self { protocol, operation, body, access_key })
    }

    async fn carry_out(self, shared: &Arc<Shared>) -> Outcome<String> {
        self.authenticate(shared)?;
        let operation = self.operation.as_str();
        match self.protocol {
            Protocol::Json11 => ecs::call(shared, operation, self.body).map(|answer| answer.to_string()),
            Protocol::Json10 => {
                let url = shared.queue_url();
                let answer = sqs::call(&shared.queue, &url, HIDDEN, operation, self.body).await;
                answer.map(|answer| answer.to_string())
            }
            Protocol::Query => {
                let who = self.access_key.as_deref().unwrap_or_default();
                shared.with(|state| state.sts.call(operation, &self.body, who))
            }
        }
    }

    fn authenticate(&self, shared: &Shared) -> Outcome<()> {
        let query = self.protocol == Protocol::Query;
        let Some(key) = self.access_key.as_deref() else {
            let message = "Request is missing Authentication Token";
            return Err(match self.protocol {
                Protocol::Query => Refusal::new("MissingAuthenticationToken", message).status(403),
                _ => Refusal::new("MissingAuthenticationTokenException", message),
            });
        };
        if key == ACCESS_KEY {
            return Ok(());
        }
        if let Some(who) = shared.with(|state| state.sts.session(key).map(Session::arn)) {
            if query && self.operation == "GetCallerIdentity" {
                return Ok(());
            }
            // What is lent is for the store.
            return Err(denied(self.protocol, &who, &self.operation));
        }
        let message = "The security token included in the request is invalid.";
        Err(match self.protocol {
            Protocol::Query => Refusal::new("InvalidClientTokenId", message).status(403),
            _ => Refusal::new("UnrecognizedClientException", message),
        })
    }
}

/// The key that a request says it is signed with. The signature is not checked.
fn access_key(authorization: &str) -> Option<&str> {
    let credential =
        authorization.strip_prefix("AWS4-HMAC-SHA256")?.trim_start().strip_prefix("Credential=")?;
    credential.split('/').next()
}
