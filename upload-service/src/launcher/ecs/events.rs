//! What `EventBridge` tells of tasks, from the queue that its rule fills.
//!
//! Messages come at least once and in any order. Several processes may read the same queue, so a message may reach
//! one that does not watch its task: it is deleted all the same, since the poll finds out as well.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};

use super::client::{LONG_POLL_SECONDS, backoff};
use super::task::TaskState;
use super::tracker::Tracker;
use crate::aws::said;

/// How many messages SQS gives at once, at most.
const AT_ONCE: i32 = 10;

/// The pause after a first failure, at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) queue: String,
    /// The builder's container.
    pub(super) container: String,
    pub(super) client: aws_sdk_sqs::Client,
    pub(super) tracker: Arc<Tracker>,
}

impl Reader {
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            let receive = self.client.receive_message().queue_url(&self.queue);
            let receive = receive.max_number_of_messages(AT_ONCE).wait_time_seconds(LONG_POLL_SECONDS);
            match receive.send().await {
                Ok(answer) => {
                    failures = 0;
                    let messages = answer.messages.unwrap_or_default();
                    for message in &messages {
                        self.handle(message);
                    }
                    self.delete(&messages).await;
                }
                Err(error) => {
                    failures += 1;
                    let error = said(&error);
                    tracing::warn!(
                        error,
                        failures,
                        "events of tasks cannot be read; they are only asked about"
                    );
                    tokio::time::sleep(backoff(failures, FIRST_PAUSE, LONGEST_PAUSE)).await;
                }
            }
        }
    }

    fn handle(&self, message: &Message) {
        match TaskState::from_message(message.body().unwrap_or_default(), &self.container) {
            Ok((task, state)) => self.tracker.tell(&task, state),
            Err(error) => {
                tracing::warn!(%error, message.id = message.message_id(), "a message of the events queue makes no sense and is deleted");
            }
        }
    }

    /// Deletes what was handled. What cannot be deleted comes again, and is no news then.
    async fn delete(&self, messages: &[Message]) {
        let handles = messages.iter().filter_map(Message::receipt_handle).enumerate();
        let entries: Vec<_> = handles
            .filter_map(|(place, handle)| {
                let entry =
                    DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(handle);
                entry.build().ok()
            })
            .collect();
        if entries.is_empty() {
            return;
        }
        let delete = self.client.delete_message_batch().queue_url(&self.queue).set_entries(Some(entries));
        match delete.send().await {
            Ok(answer) if answer.failed().is_empty() => {}
            Ok(answer) => {
                tracing::warn!(
                    messages = answer.failed().len(),
                    "messages of the events queue are not deleted"
                );
            }
            Err(error) => {
                tracing::warn!(error = said(&error), "messages of the events queue are not deleted");
            }
        }
    }
}
