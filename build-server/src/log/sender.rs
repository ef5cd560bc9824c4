//! Sends the log on its way while it is written, at the pace of the receiver.

use std::sync::Arc;
use std::time::Duration;

use gitdeploy_bus::{Batch, BusError, EventBus};
use gitdeploy_core::{Attempt, Event, OutputId};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use super::spool::Spool;

/// The limits of a batch. Fifty events an entry cost Redis a fiftieth of fifty entries.
const MOST_EVENTS: usize = 64;
const MOST_BYTES: usize = 32 * 1024;

/// How long more is awaited when something comes: a batch of many costs little more than one of a few.
const GATHER: Duration = Duration::from_millis(20);

/// How long to wait before a batch is tried again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Where the log is sent.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// The bus.
    Bus(EventBus),
    /// Standard output, for the launcher.
    Stdout,
}

/// Sends what `spool` holds and goes on until the end of the build is sent.
pub(crate) async fn send(
    id: OutputId,
    attempt: Attempt,
    spool: Arc<Spool>,
    outlet: Outlet,
    cancel: CancellationToken,
) {
    let mut recorded = spool.recorded();
    loop {
        recorded.borrow_and_update();
        let lines = match spool.take(MOST_EVENTS, MOST_BYTES) {
            Ok(lines) => lines,
            Err(error) => return tracing::error!(%error, "the log cannot be read back"),
        };
        if lines.is_empty() {
            if recorded.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(GATHER).await;
            continue;
        }
        let lines = String::from_utf8_lossy(&lines);
        let events: Vec<Event> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ended = events.last().is_some_and(|event| event.end().is_some());
        let sent = match &outlet {
            Outlet::Bus(bus) => publish(bus, &id, &Batch { attempt, events }).await,
            Outlet::Stdout => write(&lines).await,
        };
        if !sent {
            cancel.cancel();
            return;
        }
        spool.sent();
        if ended {
            return;
        }
    }
}

/// Publishes a batch, however long that takes. False: a later attempt has taken over.
async fn publish(bus: &EventBus, id: &OutputId, batch: &Batch) -> bool {
    let (mut pause, longest) = PAUSES;
    loop {
        match bus.publish(id, batch).await {
            Ok(()) => return true,
            Err(BusError::Stale(_)) => {
                tracing::warn!("a later attempt has taken over");
                return false;
            }
            Err(error) => tracing::warn!(%error, "the bus takes no events; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
}

/// Writes events to standard output. False: nobody reads it any more.
async fn write(lines: &str) -> bool {
    let mut stdout = tokio::io::stdout();
    let written = async {
        stdout.write_all(lines.as_bytes()).await?;
        stdout.flush().await
    };
    written.await.is_ok()
}
