//! Installs the packages, and where the lockfile does not fit them once more without it.

use std::ffi::OsString;
use std::path::Path;

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{FailureCode, Phase};

use super::{Build, Done};
use crate::classify;
use crate::plan::{Packages, Plan, Step};
use crate::sandbox::Sandbox;
use crate::stop::Stop;

/// What was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Installed {
    /// What the plan says.
    AsPlanned,
    /// Something else than the lockfile says.
    Otherwise,
}

impl Build<'_> {
    pub(super) async fn packages(
        &self,
        plan: &Plan,
        install: &Step,
        sandbox: &Sandbox,
        environment: &[(String, OsString)],
    ) -> Result<Done<Installed>, Stop> {
        let stop = match self.command(Phase::Install, install, sandbox, environment).await {
            Ok(Done { exit_code, .. }) => return Ok(Done { exit_code, ..Done::of(Installed::AsPlanned) }),
            Err(stop) => self.explained(stop, Phase::Install),
        };
        let relaxed = plan.packages.as_ref().and_then(|packages| Some((packages, packages.relaxed?)));
        let Some((packages, line)) = relaxed.filter(|(_, line)| *line != install.line) else {
            return Err(stop);
        };
        if stop.failure.code != FailureCode::InstallLockfile {
            return Err(stop);
        }
        self.recorder.notice(notice(packages, line));
        let again = Step { line: line.to_owned(), directory: install.directory.clone() };
        match self.command(Phase::Install, &again, sandbox, environment).await {
            Ok(Done { exit_code, .. }) => Ok(Done { exit_code, ..Done::of(Installed::Otherwise) }),
            Err(stop) => Err(self.explained_again(stop)),
        }
    }

    /// The same stop, with what the second command wrote: what the first wrote, everybody knows.
    fn explained_again(&self, stop: Stop) -> Stop {
        if !matches!(stop.outcome, Outcome::Failed | Outcome::TimedOut) {
            return stop;
        }
        let lines = self.recorder.last_lines(Phase::Install);
        let refused = lines.iter().rposition(|line| line.contains("`npm ci` can only install"));
        let lines = lines.iter().skip(refused.map_or(0, |place| place + 1));
        let mut failure = classify::explain(stop.failure, Phase::Install, lines.map(String::as_str));
        failure.hint.get_or_insert_with(|| {
            "the lockfile does not fit `package.json`, and `npm install` fails too".to_owned()
        });
        Stop { failure, ..stop }
    }
}

fn notice(packages: &Packages, line: &str) -> String {
    let lockfile = packages.lockfile.as_deref().and_then(Path::file_name).unwrap_or_default();
    let lockfile = lockfile.display();
    let command = line.split(" --").next().unwrap_or(line);
    format!(
        "`{lockfile}` does not fit `package.json`, so the packages are installed with `{command}`, in versions that may not be yours; run `{command}` on your machine and commit `{lockfile}`"
    )
}
