//! A build for people: on a terminal redrawn in place, elsewhere as plain lines.

use std::time::Duration;

use gitdeploy_core::event::{LogLine, PhaseChange, PhaseState};
use gitdeploy_core::{Body, Event, Phase, State};
use indicatif::{ProgressBar, ProgressStyle};
use upload_service::api::DeploymentView;

use super::{short, shown};
use crate::ended::Ended;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// How often the line of the current phase is redrawn.
const TICK: Duration = Duration::from_millis(100);

/// Lines on standard error. On a terminal the current phase stands below them; elsewhere there are no colours.
#[derive(Debug)]
pub(crate) struct People {
    current: ProgressBar,
    id: String,
}

impl People {
    pub(super) fn new() -> Self {
        let current = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("  {spinner:.cyan} {msg} {elapsed:.dim}");
        current.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        current.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        Self { current, id: String::new() }
    }

    pub(super) fn note(&mut self, text: &str) {
        self.line(&format!("{DIM}{text}{PLAIN}"));
    }

    pub(super) fn deployment(&mut self, deployment: &DeploymentView) {
        self.id = deployment.id.to_string();
        let source = &deployment.source;
        let commit = source.commit.as_ref().map(|commit| {
            let reference = source.reference.as_deref().unwrap_or("HEAD");
            format!("  {reference} @ {}", short(commit))
        });
        let message = source.message.as_ref().map(|message| format!(" \"{message}\""));
        let (commit, message) = (commit.unwrap_or_default(), message.unwrap_or_default());
        let head = format!("{BOLD}◆ {}{PLAIN}{commit}{message}", deployment.project);
        self.line(&format!("{head}  {DIM}{}{PLAIN}", deployment.url));
        self.begin("waiting for a builder");
    }

    pub(super) fn event(&mut self, event: &Event) {
        match &event.body {
            Body::Phase(change) => self.phase(change),
            Body::Log(LogLine { text, .. }) => self.line(&format!("    {DIM}│{PLAIN} {text}{PLAIN}")),
            Body::Notice { text } => self.line(&format!("    {BOLD}!{PLAIN} {text}")),
            Body::Gap { lines, reason } => self.line(&format!("    {BOLD}!{PLAIN} {lines} lines {reason}")),
            Body::Plan { decisions } => {
                for decision in decisions {
                    let (name, value, why) = (&decision.name, &decision.value, decision.why());
                    self.line(&format!("    {DIM}│{PLAIN} {name}: {value} {DIM}({why}){PLAIN}"));
                }
            }
            Body::Progress { phase, done, total, unit } => {
                let total = total.map(|total| format!(" of {total}")).unwrap_or_default();
                self.current.set_message(format!("{phase:8} {done}{total} {unit}"));
            }
            Body::End(_) => self.current.finish_and_clear(),
        }
    }

    fn phase(&mut self, change: &PhaseChange) {
        let PhaseChange { phase, state, ms, summary, .. } = change;
        // It takes no time and tells nothing, unless it fails.
        if *phase == Phase::Boot && *state != PhaseState::Failed {
            return;
        }
        let took = seconds(ms.unwrap_or_default());
        let summary = summary.as_deref().map(|summary| format!("   {summary}")).unwrap_or_default();
        match state {
            PhaseState::Started => self.begin(&format!("{phase:8}")),
            PhaseState::Finished => {
                self.line(&format!("  {GREEN}✓{PLAIN} {phase:8} {took:>6}{DIM}{summary}{PLAIN}"));
            }
            PhaseState::Failed => self.line(&format!("  {RED}✗{PLAIN} {phase:8} {took:>6}")),
        }
    }

    pub(super) fn ended(&mut self, ended: &Ended) {
        self.current.finish_and_clear();
        let deployment = &ended.deployment;
        let took = deployment.finished.map(|end| end.duration_since(deployment.created).as_millis());
        let took = seconds(took.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default());
        if deployment.state == State::Ready {
            let files = gitdeploy_core::size::files(deployment.files.unwrap_or_default());
            self.line(&format!("{GREEN}✓ live in {took}{PLAIN}   {files}"));
            if deployment.production_url.is_some() && !deployment.production {
                self.note("a newer deployment of the project is live; this one has its own address");
            }
            return;
        }
        let failure = deployment.failure.as_ref();
        let cause = failure
            .map_or_else(|| format!("it ended as {}", deployment.state), |failure| failure.cause.clone());
        let code = failure.map(|failure| format!(" {DIM}[{}]{PLAIN}", failure.code)).unwrap_or_default();
        self.line(&format!("{RED}✗ {} after {took}{PLAIN}", words(deployment.state)));
        self.line(&format!("  cause  {cause}{code}"));
        if let Some(hint) = failure.and_then(|failure| failure.hint.as_ref()) {
            self.line(&format!("  hint   {hint}"));
        }
        if let Some(fix) = failure.and_then(|failure| failure.fix.as_ref()) {
            self.line(&format!("  fix    {fix}"));
        }
        self.line(&format!("  log    gitdeploy logs {}", deployment.id));
    }

    pub(super) fn left(&mut self) {
        self.current.finish_and_clear();
        if self.id.is_empty() {
            self.note("nothing was deployed");
        } else {
            self.note(&format!("the build goes on; `gitdeploy logs {} -f` follows it", self.id));
        }
    }

    /// Does something with the terminal that must not be drawn over.
    pub(super) fn above<T>(&mut self, print: impl FnOnce() -> T) -> T {
        self.current.suspend(print)
    }

    fn begin(&mut self, text: &str) {
        self.current.finish_and_clear();
        self.current =
            ProgressBar::new_spinner().with_style(self.current.style()).with_message(text.to_owned());
        self.current.enable_steady_tick(TICK);
    }

    fn line(&self, text: &str) {
        self.current.suspend(|| anstream::eprintln!("{}", shown(text)));
    }
}

fn words(state: State) -> &'static str {
    match state {
        State::Canceled => "canceled",
        State::TimedOut => "timed out",
        State::Lost => "lost",
        _ => "failed",
    }
}

fn seconds(ms: u64) -> String {
    match ms {
        0..60_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        _ => format!("{}m {:02}s", ms / 60_000, ms % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (ms, expected) in [(0, "0.0s"), (1_250, "1.2s"), (59_999, "59.9s"), (61_000, "1m 01s")] {
            assert_eq!(seconds(ms), expected);
        }
    }
}
