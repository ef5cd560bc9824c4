//! The page of one deployment: where it stands, why it failed, and its log as it grows.

use std::collections::VecDeque;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt as _;
use gitdeploy_bus::Position;
use gitdeploy_core::event::PhaseState;
use gitdeploy_core::size::{files, size};
use gitdeploy_core::{Body, FailureCode, Phase};
use jiff::{SignedDuration, Timestamp};

use super::list::{commit, words};
use super::sentence::Sentence;
use super::times::{ago, took};
use crate::api::{App, find};
use crate::catalog::Deployment;
use crate::log::{Follow, LogEvent, line, plain};
use crate::problem::ApiError;

/// How many lines of the log the page holds; the whole log is a link away.
const LINES: usize = 2000;

/// How long the log may take to be read before the page goes out without it.
const BOUND: Duration = Duration::from_secs(3);

#[derive(Template)]
#[template(path = "deployment.html")]
struct DeploymentPage {
    id: String,
    project: String,
    state: &'static str,
    words: &'static str,
    is_final: bool,
    production: bool,
    commit: Option<String>,
    message: String,
    repository: Option<String>,
    created: Timestamp,
    ago: String,
    /// How long it took and how large it is, as far as that is known.
    facts: Vec<String>,
    failure: Option<FailureBox>,
    /// Where it can be seen, once it is ready.
    url: Option<String>,
    production_url: Option<String>,
    log: Log,
}

/// Why it failed.
struct FailureBox {
    cause: Sentence,
    hint: Option<Sentence>,
    fix: Option<Sentence>,
    code: FailureCode,
}

/// What the page shows of the log.
#[derive(Default)]
struct Log {
    phases: Vec<PhaseRow>,
    lines: VecDeque<String>,
    /// The number of the line of the build that is shown last: one that is written over has it again.
    line: Option<u64>,
    /// How many lines are above those that are shown.
    above: usize,
    /// The last event that is shown.
    place: Position,
    /// Why there is no more.
    missing: Option<String>,
}

struct PhaseRow {
    phase: Phase,
    state: &'static str,
    summary: String,
}

pub(super) async fn page(State(app): State<App>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let deployment = find(&app.control, &id).await?;
    let log = read_log(&app, &deployment).await;
    let sites = &app.control.config.sites_url;
    let is_ready = deployment.state == gitdeploy_core::State::Ready;
    let ran = deployment.started.zip(deployment.finished);
    let took = ran.map(|(started, finished)| format!("took {}", took(finished.duration_since(started))));
    let facts = [took, deployment.files.map(files), deployment.bytes.map(size)];
    let facts = facts.into_iter().flatten().collect();
    let page = DeploymentPage {
        url: is_ready.then(|| sites.of(deployment.id.as_str())),
        production_url: deployment.production.then(|| sites.of(deployment.project.as_str())),
        project: deployment.project.to_string(),
        state: deployment.state.as_str(),
        words: words(deployment.state),
        is_final: deployment.state.is_final(),
        production: deployment.production,
        commit: commit(&deployment),
        created: deployment.created,
        ago: ago(deployment.created, Timestamp::now()),
        facts,
        message: deployment.origin.message.unwrap_or_default(),
        repository: deployment.origin.repository,
        failure: deployment.failure.map(|failure| FailureBox {
            cause: Sentence::of(&failure.cause),
            hint: failure.hint.as_deref().map(Sentence::of),
            fix: failure.fix.as_deref().map(Sentence::of),
            code: failure.code,
        }),
        id: deployment.id.to_string(),
        log,
    };
    Ok(super::rendered(StatusCode::OK, &page))
}

async fn read_log(app: &App, deployment: &Deployment) -> Log {
    let mut log = Log::default();
    let read = async {
        let mut events = app.control.events(deployment, Position::START, Follow::No).await?;
        while let Some(event) = events.next().await {
            let event = event?;
            // The catalog is behind the log. The page goes on before the end, else it would wait for one that
            // it has shown already.
            if event.event.end().is_some() && !deployment.state.is_final() {
                break;
            }
            log.add(&event);
        }
        Ok::<_, crate::log::LogError>(())
    };
    match tokio::time::timeout(BOUND, read).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, deployment.id = %deployment.id, "a log cannot be shown");
            log.missing = Some(error.to_string());
        }
        Err(_) => log.missing = Some("it takes too long to read".to_owned()),
    }
    log
}

impl Log {
    fn add(&mut self, event: &LogEvent) {
        self.place = event.position();
        let event = &event.event;
        if let Body::Phase(change) = &event.body {
            let state = match change.state {
                PhaseState::Started => "started",
                PhaseState::Finished => "finished",
                PhaseState::Failed => "failed",
            };
            let ms = change.ms.and_then(|ms| i64::try_from(ms).ok());
            let time = ms.map(|ms| took(SignedDuration::from_millis(ms)));
            let summary = change.summary.as_deref().map(plain);
            let summary = time.into_iter().chain(summary).collect::<Vec<_>>().join(", ");
            let row = PhaseRow { phase: change.phase, state, summary };
            match self.phases.iter_mut().find(|known| known.phase == change.phase) {
                Some(known) => *known = row,
                None => self.phases.push(row),
            }
        }
        if event.end().is_some_and(|end| end.failure.is_some()) {
            // A builder that died could not say that its phase had failed.
            for row in self.phases.iter_mut().filter(|row| row.state == "started") {
                row.state = "failed";
            }
        }
        let line_number = match &event.body {
            Body::Log(line) => Some(line.line),
            _ => None,
        };
        if line_number.is_some() && line_number == self.line {
            self.lines.pop_back();
        }
        self.line = line_number;
        for line in line(event).lines() {
            self.lines.push_back(line.to_owned());
        }
        while self.lines.len() > LINES {
            self.lines.pop_front();
            self.above += 1;
        }
    }
}
