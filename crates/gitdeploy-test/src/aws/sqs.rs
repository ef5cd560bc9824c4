//! The calls of SQS.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Outcome, Refusal, read};
use super::cluster::ACCOUNT;
use super::queue::{Message, Queue, UnknownReceipt};

const LONGEST_WAIT: u64 = 20;
const LONGEST_HIDDEN: u64 = 43_200;
const MOST_AT_ONCE: usize = 10;
const LONGEST_BODY: usize = 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receive {
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    wait_time_seconds: Option<u64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteBatch {
    entries: Vec<DeleteEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteEntry {
    id: String,
    receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    message_body: String,
    delay_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Visibility {
    receipt_handle: String,
    visibility_timeout: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    #[serde(default)]
    attribute_names: Vec<String>,
}

/// Carries a call out. `hidden`: for how long a message is nobody else's when a request does not say.
pub(super) async fn call(
    queue: &Queue,
    url: &str,
    hidden: Duration,
    operation: &str,
    body: Value,
) -> Outcome {
    if body.get("QueueUrl").and_then(Value::as_str) != Some(url) {
        return Err(Refusal::new("QueueDoesNotExist", "The specified queue does not exist."));
    }
    match operation {
        "ReceiveMessage" => receive(queue, hidden, read(body)?).await,
        "DeleteMessage" => delete(queue, &read(body)?),
        "DeleteMessageBatch" => delete_batch(queue, read(body)?),
        "SendMessage" => send(queue, read(body)?),
        "ChangeMessageVisibility" => change_visibility(queue, &read(body)?),
        "GetQueueAttributes" => Ok(attributes(queue, hidden, &read(body)?)),
        "PurgeQueue" => {
            queue.clear();
            Ok(json!({}))
        }
        _ => Err(Refusal::new("UnsupportedOperation", format!("`{operation}` is not there in this SQS"))),
    }
}

async fn receive(queue: &Queue, hidden: Duration, request: Receive) -> Outcome {
    let most = request.max_number_of_messages.unwrap_or(1);
    let wait = request.wait_time_seconds.unwrap_or(0);
    let hidden = request.visibility_timeout.map_or(hidden, Duration::from_secs);
    if !(1..=MOST_AT_ONCE).contains(&most) {
        return Err(invalid("MaxNumberOfMessages", most, "must be between 1 and 10, if provided"));
    }
    if wait > LONGEST_WAIT {
        return Err(invalid("WaitTimeSeconds", wait, "must be >= 0 and <= 20, if provided"));
    }
    if hidden.as_secs() > LONGEST_HIDDEN {
        return Err(invalid("VisibilityTimeout", hidden.as_secs(), "must be >= 0 and <= 43200, if provided"));
    }
    let messages = queue.receive(most, hidden, Duration::from_secs(wait)).await;
    if messages.is_empty() {
        return Ok(json!({}));
    }
    let names: HashSet<&str> = request
        .attribute_names
        .iter()
        .chain(&request.message_system_attribute_names)
        .map(String::as_str)
        .collect();
    Ok(json!({"Messages": messages.iter().map(|message| shown(message, &names)).collect::<Vec<_>>()}))
}

fn shown(message: &Message, names: &HashSet<&str>) -> Value {
    let millis = |time: std::time::SystemTime| {
        time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
    };
    let all = [
        ("ApproximateReceiveCount", message.received.to_string()),
        ("ApproximateFirstReceiveTimestamp", message.first_received.map(millis).unwrap_or_default()),
        ("SenderId", ACCOUNT.to_owned()),
        ("SentTimestamp", millis(message.sent)),
    ];
    let wanted = all.into_iter().filter(|(name, _)| names.contains(name) || names.contains("All"));
    let attributes: serde_json::Map<_, _> =
        wanted.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let mut shown = json!({"MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body});
    if !attributes.is_empty() {
        shown["Attributes"] = attributes.into();
    }
    shown
}

fn delete(queue: &Queue, request: &Delete) -> Outcome {
    queue.delete(&request.receipt_handle)?;
    Ok(json!({}))
}

fn delete_batch(queue: &Queue, request: DeleteBatch) -> Outcome {
    let ids: HashSet<&str> = request.entries.iter().map(|entry| entry.id.as_str()).collect();
    if ids.is_empty() {
        let message = "There should be at least one DeleteMessageBatchRequestEntry in the request.";
        return Err(Refusal::new("EmptyBatchRequest", message));
    }
    if request.entries.len() > MOST_AT_ONCE {
        let message = "Maximum number of entries per request are 10.";
        return Err(Refusal::new("TooManyEntriesInBatchRequest", message));
    }
    if ids.len() < request.entries.len() {
        return Err(Refusal::new("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in request.entries {
        match queue.delete(&entry.receipt_handle) {
            Ok(()) => successful.push(json!({"Id": entry.id})),
            Err(UnknownReceipt) => failed.push(json!({
                "Id": entry.id,
                "SenderFault": true,
                "Code": "ReceiptHandleIsInvalid",
                "Message": "The input receipt handle is invalid.",
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

fn send(queue: &Queue, request: Send) -> Outcome {
    if request.message_body.is_empty() {
        return Err(Refusal::new("MissingParameter", "The request must contain the parameter MessageBody."));
    }
    if request.message_body.len() > LONGEST_BODY {
        let message =
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.";
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let id = queue.send(request.message_body, Duration::from_secs(request.delay_seconds.unwrap_or(0)));
    Ok(json!({"MessageId": id}))
}

fn change_visibility(queue: &Queue, request: &Visibility) -> Outcome {
    if request.visibility_timeout > LONGEST_HIDDEN {
        return Err(invalid("VisibilityTimeout", request.visibility_timeout, "must be between 0 and 43200"));
    }
    queue.hide(&request.receipt_handle, Duration::from_secs(request.visibility_timeout))?;
    Ok(json!({}))
}

fn attributes(queue: &Queue, hidden: Duration, request: &Attributes) -> Value {
    let (visible, received) = queue.count();
    let all = [
        ("ApproximateNumberOfMessages", visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", received.to_string()),
        ("VisibilityTimeout", hidden.as_secs().to_string()),
    ];
    let wanted = |name: &str| request.attribute_names.iter().any(|wanted| wanted == name || wanted == "All");
    let attributes: serde_json::Map<_, _> = all
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({"Attributes": attributes})
}

fn invalid(parameter: &str, value: impl std::fmt::Display, rule: &str) -> Refusal {
    let message = format!("Value {value} for parameter {parameter} is invalid. Reason: {rule}.");
    Refusal::new("InvalidParameterValue", message)
}

impl From<UnknownReceipt> for Refusal {
    fn from(_: UnknownReceipt) -> Self {
        Self::new("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    }
}
