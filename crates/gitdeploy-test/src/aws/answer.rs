//! Answers and refusals in the shapes of AWS's protocols.

use bytes::Bytes;
use http::{Response, header};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::clock::uuid;

/// Why a call is refused. Its shape depends on the protocol.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    /// Further members of the error.
    pub(super) more: Map<String, Value>,
}

/// What a call comes to.
pub(super) type Outcome<T = Value> = Result<T, Refusal>;

/// The protocol that a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// JSON 1.1: ECS.
    Json11,
    /// JSON 1.0: SQS.
    Json10,
    /// Forms in, XML out: STS.
    Query,
}

impl Refusal {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into(), more: Map::new() }
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

/// The parameters of a call in JSON.
pub(super) fn read<T: DeserializeOwned>(body: Value) -> Outcome<T> {
    serde_json::from_value(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

/// An answer with the headers that every answer has.
pub(super) fn answer(protocol: Protocol, outcome: Outcome<String>) -> http::Result<Response<Full<Bytes>>> {
    let id = uuid();
    let (status, text, code) = match outcome {
        Ok(text) => (200, text, None),
        Err(refusal) => {
            let code = refusal.code.clone();
            (refusal.status, refused(protocol, refusal, &id), Some(code))
        }
    };
    let content_type = match protocol {
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Query => "text/xml",
    };
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header("x-amzn-RequestId", id);
    if let (Protocol::Json10, Some(code)) = (protocol, code) {
        // What clients of the older protocol of SQS knew the error as.
        answer = answer.header("x-amzn-query-error", format!("{};Sender", older(&code)));
    }
    answer.body(Full::from(text))
}

fn refused(protocol: Protocol, refusal: Refusal, id: &str) -> String {
    let Refusal { code, message, mut more, .. } = refusal;
    match protocol {
        Protocol::Json11 | Protocol::Json10 => {
            let kind = if protocol == Protocol::Json10 { format!("com.amazonaws.sqs#{code}") } else { code };
            more.insert("__type".to_owned(), json!(kind));
            more.insert("message".to_owned(), json!(message));
            Value::Object(more).to_string()
        }
        Protocol::Query => format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
            escape(&message)
        ),
    }
}

fn older(code: &str) -> &str {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        code => code,
    }
}

/// Text as it may stand in XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
