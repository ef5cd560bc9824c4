//! The commands of a build.

use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gitdeploy_core::Phase;
use gitdeploy_core::event::Outcome;

use super::ending;
use super::packages::Installed;
use super::workspace::Workspace;
use super::{Build, Done};
use crate::command::Command;
use crate::memory;
use crate::plan::{Plan, Step};
use crate::sandbox::Sandbox;
use crate::stop::Stop;

impl Build<'_> {
    pub(super) async fn install(
        &self,
        plan: &Plan,
        workspace: &Workspace,
        sandbox: &Sandbox,
        environment: &[(String, OsString)],
    ) -> Result<Done<Installed>, Stop> {
        let tool = |package: &str| {
            let tools = workspace.tools();
            let line = format!("npm install --prefix '{}' --no-audit --no-fund '{package}'", tools.display());
            Step { line, directory: workspace.home() }
        };
        if let Some(node) = &plan.node {
            match self.command(Phase::Install, &tool(node), sandbox, environment).await {
                Err(stop) if stop.outcome == Outcome::Failed => self.recorder.notice(
                    "the wanted version of Node.js cannot be installed; the build goes on with the one that is here",
                ),
                other => drop(other?),
            }
        }
        if let Some(package) = &plan.tool {
            self.command(Phase::Install, &tool(package), sandbox, environment).await?;
        }
        match &plan.install {
            Some(install) => self.packages(plan, install, sandbox, environment).await,
            None => Ok(Done::of(Installed::AsPlanned)),
        }
    }

    /// Runs a command of the author's and says how it ended in the terms of its phase.
    pub(super) async fn command(
        &self,
        phase: Phase,
        step: &Step,
        sandbox: &Sandbox,
        environment: &[(String, OsString)],
    ) -> Result<Done<()>, Stop> {
        let config = self.config;
        let (limit, silence) = match phase {
            Phase::Install => (config.install_seconds, config.install_silent_seconds),
            _ => (config.seconds, config.silent_seconds),
        };
        self.recorder.say(phase, format!("$ {}", step.line));
        let command = Command {
            line: &step.line,
            phase,
            directory: &step.directory,
            environment,
            limit: Duration::from_secs(limit),
            silence: Duration::from_secs(silence),
            memory: config.memory_bytes,
        };
        let ran = command.run(sandbox, self.recorder, self.cancel).await?;
        self.peak.fetch_max(ran.peak, Ordering::Relaxed);
        ending::judge(&command, &ran, memory::limit())?;
        Ok(Done { exit_code: Some(0), ..Done::of(()) })
    }
}
