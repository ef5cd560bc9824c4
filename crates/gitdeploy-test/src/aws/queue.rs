//! The messages of the queue: each is delivered at least once, in no order that may be relied on.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::clock;

/// A queue to which the events of tasks go.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inside: Mutex<Inside>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    messages: Vec<Message>,
    receipts: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) receipt: String,
    pub(super) received: u32,
    pub(super) sent: SystemTime,
    pub(super) first_received: Option<SystemTime>,
    visible: Instant,
}

impl Queue {
    /// Adds a message that nobody sees before `delay` has passed, and returns its id.
    pub(super) fn send(&self, body: String, delay: Duration) -> String {
        let id = clock::uuid();
        let visible = Instant::now() + delay;
        let (sent, receipt) = (SystemTime::now(), String::new());
        let message =
            Message { id: id.clone(), body, receipt, received: 0, sent, first_received: None, visible };
        self.with(|inside| inside.messages.push(message));
        self.arrived.notify_waiters();
        id
    }

    /// Up to `most` messages, as soon as there is one; none after `wait`.
    pub(super) async fn receive(&self, most: usize, hidden: Duration, wait: Duration) -> Vec<Message> {
        let deadline = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // From here on an arrival is not missed.
            arrived.as_mut().enable();
            let (messages, next) = self.with(|inside| inside.take(most, hidden));
            if !messages.is_empty() || Instant::now() >= deadline {
                return messages;
            }
            let wake = next.unwrap_or(deadline).min(deadline);
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Deletes what was received with a receipt. A receipt that is not the message's last one does nothing.
    pub(super) fn delete(&self, receipt: &str) -> Result<(), UnknownReceipt> {
        self.with(|inside| {
            if !receipt.strip_prefix("receipt-").is_some_and(|number| {
                number.parse().is_ok_and(|number: u64| (1..=inside.receipts).contains(&number))
            }) {
                return Err(UnknownReceipt);
            }
            inside.messages.retain(|message| message.receipt != receipt);
            Ok(())
        })
    }

    /// Hides what was received with a receipt for so long from now.
    pub(super) fn hide(&self, receipt: &str, hidden: Duration) -> Result<(), UnknownReceipt> {
        self.with(|inside| {
            let message = inside.messages.iter_mut().find(|message| message.receipt == receipt);
            message.ok_or(UnknownReceipt)?.visible = Instant::now() + hidden;
            Ok(())
        })?;
        self.arrived.notify_waiters();
        Ok(())
    }

    pub(super) fn clear(&self) {
        self.with(|inside| inside.messages.clear());
    }

    /// How many messages wait, and how many were received and are neither deleted nor visible again.
    pub(super) fn count(&self) -> (usize, usize) {
        let now = Instant::now();
        self.with(|inside| {
            let hidden =
                inside.messages.iter().filter(|message| message.received > 0 && message.visible > now);
            let hidden = hidden.count();
            (inside.messages.len() - hidden, hidden)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inside) -> T) -> T {
        work(&mut self.inside.lock().expect("no panic while locked"))
    }
}

/// A receipt that this queue never gave.
#[derive(Debug)]
pub(super) struct UnknownReceipt;

impl Inside {
    /// What is visible, and when the next message will be.
    fn take(&mut self, most: usize, hidden: Duration) -> (Vec<Message>, Option<Instant>) {
        let now = Instant::now();
        let mut taken = Vec::new();
        // What became visible first comes first: a delay is what changes the order.
        self.messages.sort_by_key(|message| message.visible);
        for message in self.messages.iter_mut().filter(|message| message.visible <= now).take(most) {
            self.receipts += 1;
            message.receipt = format!("receipt-{}", self.receipts);
            message.received += 1;
            message.first_received.get_or_insert_with(SystemTime::now);
            message.visible = now + hidden;
            taken.push(message.clone());
        }
        let next = self.messages.iter().map(|message| message.visible).filter(|visible| *visible > now).min();
        (taken, next)
    }
}
