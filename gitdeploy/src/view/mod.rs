//! What a person sees while a build runs: progress on standard error, results on standard output.

mod people;
mod shown;

use std::io::Write as _;

use upload_service::api::{DeploymentView, LogEvent};

use crate::ended::Ended;
use people::People;
pub(crate) use shown::shown;

/// Who is looking.
#[derive(Debug)]
pub(crate) enum View {
    /// A person.
    People(People),
    /// A program, which gets every event as JSON on standard output.
    Json,
}

impl View {
    pub(crate) fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::People(People::new()) }
    }

    /// Shows something that is no part of a build.
    pub(crate) fn note(&mut self, text: &str) {
        if let Self::People(people) = self {
            people.note(text);
        }
    }

    /// Shows which deployment is made.
    pub(crate) fn deployment(&mut self, deployment: &DeploymentView) {
        match self {
            Self::People(people) => people.deployment(deployment),
            Self::Json => json(deployment),
        }
    }

    /// Shows what happens.
    pub(crate) fn event(&mut self, event: &LogEvent) {
        match self {
            Self::People(people) => people.event(&event.event),
            Self::Json => json(event),
        }
    }

    /// Shows how it ended.
    pub(crate) fn ended(&mut self, ended: &Ended) {
        match self {
            Self::People(people) => people.ended(ended),
            Self::Json => json(&ended.deployment),
        }
    }

    /// Says that the build goes on without a spectator.
    pub(crate) fn left(&mut self) {
        if let Self::People(people) = self {
            people.left();
        }
    }

    /// Prints the address, as the last line of standard output.
    pub(crate) fn url(&mut self, ended: &Ended) -> std::io::Result<()> {
        match self {
            Self::People(people) => people.above(|| print(ended.url())),
            Self::Json => Ok(()),
        }
    }
}

/// A commit's id as people write it.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// Prints a line on standard output. A reader that has gone away is an error, not a panic.
pub(crate) fn print(line: &str) -> std::io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn json(value: &impl serde::Serialize) {
    match serde_json::to_string(value).map(|line| print(&line)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "nobody reads the events"),
        Err(error) => tracing::error!(%error, "an event cannot be written"),
    }
}
