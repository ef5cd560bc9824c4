//! What the clone of a repository, of its submodules and of its files in LFS has in common.

use std::sync::Arc;
use std::time::Duration;

use gitdeploy_core::Phase;

use super::credentials::Credentials;
use super::problem::Problem;
use super::web::Web;
use crate::log::Recorder;
use crate::stop::Stop;

/// How often something is tried when the network fails, and the pause between two tries.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// One for each build.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) web: Web,
    pub(super) credentials: Arc<Credentials>,
    pub(super) recorder: Recorder,
}

impl Session {
    /// Runs something that needs the server of `shown`, again if it fails in a way that may pass.
    pub(super) fn with_tries<T>(&self, shown: &str, run: impl Fn() -> Result<T, Problem>) -> Result<T, Stop> {
        let budget = &self.web.budget;
        let mut tries = 1;
        loop {
            let problem = match run() {
                Ok(done) => return Ok(done),
                Err(problem) => problem,
            };
            budget.go_on()?;
            if tries == TRIES || !problem.may_pass() {
                return Err(problem.into_stop(shown));
            }
            let text = format!("the connection failed ({}); trying again", problem.text());
            self.recorder.say(Phase::Clone, text);
            std::thread::sleep((PAUSE * tries).min(budget.left()));
            tries += 1;
        }
    }
}
