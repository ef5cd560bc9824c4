//! The last event of a build whose builder cannot write it itself.

use std::time::Duration;

use futures_util::StreamExt as _;
use gitdeploy_bus::{Batch, BusError};
use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Attempt, Body, End, Event, Failure};
use jiff::Timestamp;

use super::archive;
use crate::catalog::Deployment;
use crate::control::Control;

/// How long the bus and the store may take; what has failed by then is given up, so that the deployment
/// still ends.
const BOUND: Duration = Duration::from_secs(30);

impl Control {
    /// Writes the end to the archive, then to the bus: the order of a builder that is well.
    pub(crate) async fn tell_end(&self, deployment: &Deployment, end: End) {
        let attempt = deployment.attempt.max(Attempt::FIRST);
        let mut events = match tokio::time::timeout(BOUND, self.events_so_far(deployment, attempt)).await {
            Ok(Ok(events)) => events,
            Ok(Err(error)) => {
                tracing::warn!(%error, deployment.id = %deployment.id, "the log so far cannot be read");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let has_ended = events.last().is_some_and(|event| event.end().is_some());
        let seq = events.last().map_or(1, |event| event.seq + u64::from(!has_ended));
        let last = Event { seq, at: Timestamp::now(), body: Body::End(end) };
        // What the builder has said of its end is not what has become of it.
        let untrue = has_ended && events.pop().is_some_and(|told| told.body != last.body);
        events.push(last.clone());
        if let Some(gap) = lost_before(&events) {
            events.insert(0, gap);
        }
        let output = deployment.output();
        let archive = tokio::time::timeout(BOUND, archive::write(&self.store, &output, events, untrue));
        if !matches!(archive.await, Ok(Ok(()))) {
            tracing::error!(deployment.id = %deployment.id, "the log is not archived");
        }
        if has_ended {
            return;
        }
        let batch = Batch { attempt, events: vec![last] };
        let publish = tokio::time::timeout(BOUND, self.bus.publish(&output, &batch));
        if !matches!(publish.await, Ok(Ok(()))) {
            tracing::warn!(deployment.id = %deployment.id, "the end is not on the bus");
        }
    }

    /// Writes the end of a deployment that was canceled before it was built.
    pub(crate) async fn tell_canceled(&self, deployment: &Deployment, failure: Failure) {
        self.tell_end(deployment, End::unsuccessful(Outcome::Canceled, None, failure)).await;
    }

    async fn events_so_far(&self, deployment: &Deployment, attempt: Attempt) -> Result<Vec<Event>, BusError> {
        let output = deployment.output();
        let Some(last) = self.bus.position(&output).await?.filter(|last| last.attempt == attempt) else {
            return Ok(Vec::new());
        };
        let mut batches = self.bus.follow(&output, None);
        let mut events: Vec<Event> = Vec::new();
        while events.last().is_none_or(|event| event.seq < last.seq)
            && let Some(batch) = batches.next().await
        {
            events.extend(batch.events);
        }
        Ok(events)
    }
}

/// What stands for the events that the bus has forgotten: it was emptied while the build ran.
fn lost_before(events: &[Event]) -> Option<Event> {
    let first = events.first()?;
    let lost = first.seq.checked_sub(1).filter(|lost| *lost > 0)?;
    let reason = "or fewer were lost with the event bus".to_owned();
    Some(Event { seq: lost, at: first.at, body: Body::Gap { lines: lost, reason } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_were_lost_leave_a_gap() {
        let event = |seq| Event { seq, at: Timestamp::UNIX_EPOCH, body: Body::End(End::ready(1, 2)) };
        assert_eq!(lost_before(&[]), None);
        assert_eq!(lost_before(&[event(1)]), None);
        let gap = lost_before(&[event(8), event(9)]).unwrap();
        assert_eq!(gap.seq, 7);
        assert_eq!(crate::log::line(&gap), "[7 lines or fewer were lost with the event bus]\n");
    }
}
