//! `gitdeploy logs`.

use std::process::ExitCode;

use gitdeploy_core::event::{Body, Outcome, PhaseState};
use gitdeploy_core::{End, Event};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Logs;
use crate::client::Client;
use crate::exit;
use crate::view::print;

/// Prints the log on standard output. When it ends, the exit code tells how.
pub(crate) async fn logs(logs: Logs) -> anyhow::Result<ExitCode> {
    let client = Client::find(logs.platform)?;
    let mut events = client.events(&logs.id, logs.from, logs.follow);
    let mut last = None;
    // Made once: one that is made anew for each event misses what comes between two.
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            _ = interrupt.recv() => {
                let from = last.unwrap_or(logs.from);
                anstream::eprintln!("the build goes on; `gitdeploy logs {} -f --from {from}` continues here", logs.id);
                return Ok(ExitCode::from(exit::CANCELED));
            }
        };
        let Some(event) = event else { return Ok(ExitCode::SUCCESS) };
        last = Some(event.seq);
        if logs.json {
            print(&event.to_json())?;
        } else if let Some(line) = line(&event) {
            print(&line)?;
        }
        if let Some(end) = event.end() {
            return Ok(ExitCode::from(code(end)));
        }
    }
}

fn line(event: &Event) -> Option<String> {
    Some(match &event.body {
        Body::Log(line) => line.text.clone(),
        Body::Phase(change) if change.state == PhaseState::Started => format!("--- {}", change.phase),
        Body::Gap { lines, reason } => format!("--- {lines} lines {reason}"),
        Body::Notice { text } => format!("--- note: {text}"),
        Body::End(end) => match &end.failure {
            None => "--- ready".to_owned(),
            Some(failure) => {
                let fix = failure.fix.as_ref().map(|fix| format!("\n--- fix: {fix}")).unwrap_or_default();
                format!("--- {}: {failure}{fix}", failure.code)
            }
        },
        Body::Phase(_) | Body::Plan { .. } | Body::Progress { .. } => return None,
    })
}

fn code(end: &End) -> u8 {
    exit::of_state(end.state.into(), end.state == Outcome::PlatformError)
}
