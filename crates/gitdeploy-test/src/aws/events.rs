//! The events that `EventBridge` puts into the queue when a task changes.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::clock::{self, Clock};
use super::cluster::{ACCOUNT, Cluster, REGION};
use super::queue::Queue;
use super::task::Task;

/// By how much events overtake each other.
const SHUFFLED_BY_MS: u64 = 300;

/// What happens to events on their way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Events {
    pub(super) duplicate: bool,
    pub(super) drop: bool,
    pub(super) shuffle: bool,
}

impl Events {
    pub(super) fn send(self, queue: &Queue, cluster: &Cluster, task: &Task) {
        if self.drop {
            return;
        }
        let event = json!({
            "version": "0",
            "id": clock::uuid(),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": ACCOUNT,
            "time": clock::text(SystemTime::now()),
            "region": REGION,
            "resources": [task.arn],
            "detail": task.shown(cluster, Clock::Text, false),
        });
        for _ in 0..=u8::from(self.duplicate) {
            queue.send(event.to_string(), self.delay());
        }
    }

    fn delay(self) -> Duration {
        let delay = if self.shuffle { RandomState::new().hash_one(()) % SHUFFLED_BY_MS } else { 0 };
        Duration::from_millis(delay)
    }
}
