//! `gitdeploy logs`.

use std::process::ExitCode;

use gitdeploy_core::event::{Body, Outcome, PhaseState};
use gitdeploy_core::{End, Event};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Logs;
use crate::client::Client;
use crate::exit;
use crate::view::{print, shown};

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
        last = Some(event.position());
        if logs.json {
            print(&event.to_json())?;
        } else {
            for line in lines(&event.event) {
                print(&shown(&line))?;
            }
        }
        if let Some(end) = event.event.end() {
            return Ok(ExitCode::from(code(end)));
        }
    }
}

fn lines(event: &Event) -> Vec<String> {
    match &event.body {
        Body::Log(line) => vec![line.text.clone()],
        Body::Phase(change) if change.state == PhaseState::Started => vec![format!("--- {}", change.phase)],
        Body::Gap { lines, reason } => vec![format!("--- {lines} lines {reason}")],
        Body::Notice { text } => vec![format!("--- note: {text}")],
        Body::End(End { failure: None, .. }) => vec!["--- ready".to_owned()],
        Body::End(End { failure: Some(failure), .. }) => {
            let cause = format!("--- {}: {failure}", failure.code);
            let hint = failure.hint.as_ref().map(|hint| format!("--- hint: {hint}"));
            let fix = failure.fix.as_ref().map(|fix| format!("--- fix: {fix}"));
            std::iter::once(cause).chain(hint).chain(fix).collect()
        }
        Body::Plan { decisions } => decisions.iter().map(ToString::to_string).collect(),
        Body::Phase(_) | Body::Progress { .. } => Vec::new(),
    }
}

fn code(end: &End) -> u8 {
    exit::of_state(end.state.into(), end.state == Outcome::PlatformError)
}
