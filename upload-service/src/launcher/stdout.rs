//! The events that a builder writes to its standard output, on their way to the bus.

use gitdeploy_bus::{Batch, EventBus};
use gitdeploy_core::{Attempt, Event, OutputId};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// How many events go to the bus at once.
const BATCH: usize = 256;

/// How long a line may be, in bytes; what is longer is no event.
const MAX_LINE: u64 = 1 << 20;

/// Publishes the events in `stdout` until it ends. Lines that are no events are told and passed over.
pub(super) async fn publish_events(
    stdout: impl AsyncRead + Unpin,
    id: OutputId,
    attempt: Attempt,
    bus: EventBus,
) {
    let mut reader = BufReader::with_capacity(64 * 1024, stdout);
    let (mut line, mut events) = (Vec::new(), Vec::new());
    loop {
        match next_line(&mut reader, &mut line).await {
            Ok(true) => events.extend(parse(&line)),
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(%error, deployment.id = %id, "the builder's output cannot be read");
                break;
            }
        }
        let more = events.len() < BATCH && reader.buffer().contains(&b'\n');
        if !more {
            publish(&bus, &id, attempt, std::mem::take(&mut events)).await;
        }
    }
    publish(&bus, &id, attempt, events).await;
}

async fn publish(bus: &EventBus, id: &OutputId, attempt: Attempt, events: Vec<Event>) {
    if events.is_empty() {
        return;
    }
    if let Err(error) = bus.publish(id, &Batch { attempt, events }).await {
        tracing::warn!(%error, deployment.id = %id, "events of the build are not on the bus");
    }
}

async fn next_line(reader: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    Ok(reader.take(MAX_LINE).read_until(b'\n', line).await? > 0)
}

fn parse(line: &[u8]) -> Option<Event> {
    let line = line.trim_ascii_end();
    if line.is_empty() {
        return None;
    }
    match serde_json::from_slice(line) {
        Ok(event) => Some(event),
        Err(error) => {
            let start = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
            tracing::warn!(%error, start, "the builder wrote a line that is no event");
            None
        }
    }
}
