//! The history of a clone, which is fetched only where the plan says that the site shows dates or authors from it.

use std::path::PathBuf;

use git2::Repository;
use gitdeploy_core::Phase;
use gitdeploy_core::event::Outcome;

use super::address::Address;
use super::session::Session;
use super::upstream::Upstream;
use crate::stop::Stop;

/// How to fetch the rest of a clone.
#[derive(Debug)]
pub(crate) struct History {
    pub(super) session: Session,
    pub(super) address: Address,
    pub(super) refspecs: Vec<String>,
    pub(super) target: PathBuf,
}

impl History {
    /// Fetches it, before any command of the author's has run. That it cannot be had ends no build.
    pub(crate) async fn fetch(self, because: &str) -> Result<(), Stop> {
        let recorder = self.session.recorder.clone();
        let (left, cancel) = (self.session.web.budget.left(), self.session.web.budget.cancel().clone());
        recorder.say(Phase::Clone, format!("fetching the history: {because}"));
        let fetching = tokio::task::spawn_blocking(move || {
            let repository = Repository::open(&self.target).map_err(|error| error.message().to_owned());
            let fetched = repository.map(|repository| {
                if !repository.is_shallow() {
                    return Ok(());
                }
                Upstream::new(&self.session, &self.address)?.deepen(&repository, &self.refspecs)
            });
            fetched.map(|done| done.map_err(Box::new))
        });
        let why = tokio::select! {
            done = fetching => match done {
                Ok(Ok(Ok(()))) => return Ok(()),
                Ok(Ok(Err(stop))) if stop.outcome == Outcome::Canceled => return Err(*stop),
                Ok(Ok(Err(stop))) => stop.failure.cause,
                Ok(Err(error)) => error,
                Err(error) => error.to_string(),
            },
            () = cancel.cancelled() => return Err(Stop::canceled()),
            () = tokio::time::sleep(left) => "it takes too long".to_owned(),
        };
        recorder.notice(format!(
            "the history of the repository cannot be fetched: {why}; dates of pages are those of the last commit"
        ));
        Ok(())
    }
}
