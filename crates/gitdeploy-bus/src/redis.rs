//! Events in Redis: a stream per build that is replayed, and a channel that says when there is more.
//!
//! A batch is the entry `<attempt>-<last seq>` of the stream `events:<id>`. Redis refuses an entry that is
//! not after the last one, which keeps out repeats and older attempts. The same batch is published on
//! `logs:<id>` for whoever tails the log with any Redis client.

mod follow;
mod lend;
mod link;
mod publish;
mod routes;
mod subscriptions;

use gitdeploy_core::{Attempt, OutputId};
use redis::Cmd;
use redis::streams::{StreamId, StreamRangeReply};
use secrecy::SecretString;

use crate::{Batch, BusError, Position};

pub(crate) use follow::follow;
use link::Request;
pub(crate) use routes::follow as follow_routes;

/// The field of an entry that holds the events.
const FIELD: &str = "events";

#[derive(Debug)]
pub(crate) struct Redis {
    url: SecretString,
    link: link::Link,
    sent: publish::Sent,
    subscriptions: subscriptions::Subscriptions,
}

impl Redis {
    pub(crate) fn new(url: &SecretString) -> Result<Self, BusError> {
        let link = link::Link::new(url)?;
        let subscriptions = subscriptions::Subscriptions::new(link.client().clone());
        Ok(Self { url: url.clone(), link, sent: publish::Sent::default(), subscriptions })
    }

    pub(crate) fn describe(&self) -> String {
        format!("Redis at {}", self.link.address())
    }

    pub(crate) async fn check(&self) -> Result<(), BusError> {
        match self.link.query::<redis::Value>(Request::One(&redis::cmd("PING"))).await {
            Ok(_) => Ok(()),
            // A login that may only write has no PING; that it was told so is an answer.
            Err(error) if link::is_forbidden(&error) => Ok(()),
            Err(error) => Err(link::failure(format!("reach {}", self.describe()), error)),
        }
    }

    pub(crate) async fn position(&self, id: &OutputId) -> Result<Option<Position>, BusError> {
        Ok(self.newest(id).await?.map(|(position, _)| position))
    }

    /// The last entry of the stream.
    async fn newest(&self, id: &OutputId) -> Result<Option<(Position, Batch)>, BusError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(stream(id)).arg("+").arg("-").arg("COUNT").arg(1);
        Ok(self.entries(id, &command).await?.pop())
    }

    /// What a command that reads the stream finds: the batches, each with the place of its last event.
    async fn entries(&self, id: &OutputId, command: &Cmd) -> Result<Vec<(Position, Batch)>, BusError> {
        let reply: StreamRangeReply = self
            .link
            .query(Request::One(command))
            .await
            .map_err(|error| link::failure(format!("read the events of {id}"), error))?;
        Ok(reply.ids.iter().filter_map(entry).collect())
    }
}

/// The batch in an entry: without events if the entry is none of ours.
fn entry(entry: &StreamId) -> Option<(Position, Batch)> {
    let (attempt, seq) = entry.id.split_once('-')?;
    let position = Position { attempt: Attempt(attempt.parse().ok()?), seq: seq.parse().ok()? };
    let text: String = entry.get(FIELD).unwrap_or_default();
    Some((position, Batch::from_ndjson(position.attempt, &text)))
}

fn stream(id: &OutputId) -> String {
    format!("events:{id}")
}

fn channel(id: &OutputId) -> String {
    format!("logs:{id}")
}
