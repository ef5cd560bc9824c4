//! The commands of a build, and how their endings read in the terms of their phase.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Failure, FailureCode, Phase};

use super::workspace::Workspace;
use super::{Build, Done};
use crate::command::{Command, Ended};
use crate::plan::{Plan, Step};
use crate::stop::{Stop, disk};

impl Build<'_> {
    pub(super) async fn install(
        &self,
        plan: &Plan,
        workspace: &Workspace,
        environment: &[(String, OsString)],
    ) -> Result<Done<()>, Stop> {
        let tool = |package: &str| {
            let tools = workspace.tools();
            let line = format!("npm install --prefix '{}' --no-audit --no-fund '{package}'", tools.display());
            Step { line, directory: workspace.home() }
        };
        if let Some(node) = &plan.node {
            match self.command(Phase::Install, &tool(node), environment).await {
                Err(stop) if stop.outcome == Outcome::Failed => self.recorder.notice(
                    "the wanted version of Node.js cannot be installed; the build goes on with the one that is here",
                ),
                other => drop(other?),
            }
        }
        if let Some(package) = &plan.tool {
            self.command(Phase::Install, &tool(package), environment).await?;
        }
        match &plan.install {
            Some(install) => self.command(Phase::Install, install, environment).await,
            None => Ok(Done::of(())),
        }
    }

    /// Runs a command of the author's and says how it ended in the terms of its phase.
    pub(super) async fn command(
        &self,
        phase: Phase,
        step: &Step,
        environment: &[(String, OsString)],
    ) -> Result<Done<()>, Stop> {
        let config = self.config;
        let (limit, silence, codes) = match phase {
            Phase::Install => (config.install_seconds, config.install_silent_seconds, INSTALL),
            _ => (config.seconds, config.silent_seconds, BUILD),
        };
        self.recorder.say(phase, format!("$ {}", step.line));
        let command = Command {
            line: &step.line,
            phase,
            directory: &step.directory,
            environment,
            limit: Duration::from_secs(limit),
            silence: Duration::from_secs(silence),
        };
        let failed = |code, cause: String, fix: &str| Failure::new(code, cause).fix(fix);
        match command.run(self.recorder, self.cancel).await {
            Ended::Exited(status) if status.success() => Ok(Done { exit_code: Some(0), ..Done::of(()) }),
            Ended::Exited(status) => {
                let how = match (status.code(), status.signal()) {
                    (Some(code), _) => format!("exited with {code}"),
                    (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
                };
                let cause = format!("the {phase} command {how}");
                let fix = format!(
                    "read the last lines of the {phase} log, and try `{}` on your machine",
                    step.line
                );
                Err(Stop::author(failed(codes.exit, cause, &fix)).exited_with(status.code()))
            }
            Ended::TimedOut => {
                let cause = format!("the {phase} command ran longer than {limit} s");
                Err(Stop::timed_out(failed(
                    codes.timeout,
                    cause,
                    "make it faster, or have the operator raise the limit",
                )))
            }
            Ended::Silent => {
                let cause = format!("the {phase} command wrote nothing for {silence} s");
                let fix = "check that it does not wait for an answer or watch for changes";
                Err(Stop::timed_out(failed(codes.silent, cause, fix)))
            }
            Ended::Canceled => Err(Stop::canceled()),
            Ended::NotStarted(error) => Err(disk("cannot start `bash`")(error)),
        }
    }
}

struct Codes {
    exit: FailureCode,
    timeout: FailureCode,
    silent: FailureCode,
}

const INSTALL: Codes = Codes {
    exit: FailureCode::InstallExit,
    timeout: FailureCode::InstallTimeout,
    silent: FailureCode::InstallSilent,
};

const BUILD: Codes = Codes {
    exit: FailureCode::BuildExit,
    timeout: FailureCode::BuildTimeout,
    silent: FailureCode::BuildSilent,
};
