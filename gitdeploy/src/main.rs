//! The command line, and the whole platform in one process.

mod change;
mod cli;
mod client;
mod deploy;
mod ended;
mod exit;
mod explain;
mod list;
mod logs;
mod open;
mod plan;
mod platform;
mod protect;
mod source;
mod up;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use gitdeploy_runtime::{Vars, process_vars};

use crate::cli::{Cli, Command};

/// How long work that nobody waits for any more, such as packing, may hold up the end.
const LEFTOVER: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    if let Some(code) = build_server::enter_sandbox() {
        return code;
    }
    let command = Cli::parse().command;
    let vars = match process_vars() {
        Ok(vars) => vars,
        Err(error) => return exit::code(Err(error.into())),
    };
    if let Command::BuildServer = command {
        // A builder sets up what must be set before a thread is started.
        return build_server::process(&vars);
    }
    if let Command::Plan(_) = command {
        build_server::planning::set_timeouts();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return exit::code(Err(error.into())),
    };
    let code = exit::code(runtime.block_on(run(command, vars)));
    runtime.shutdown_timeout(LEFTOVER);
    code
}

async fn run(command: Command, vars: Vars) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(up) => up::up(up, vars).await,
        Command::Deploy(deploy) => deploy::run(deploy).await,
        Command::Plan(plan) => plan::run(plan, &vars).await,
        Command::List(list) => list::list(list).await,
        Command::Logs(logs) => logs::logs(logs).await,
        Command::Promote(promote) => change::promote(promote).await,
        Command::Rollback(rollback) => change::rollback(rollback).await,
        Command::Protect(protect) => protect::protect(protect).await,
        Command::Cancel(cancel) => change::cancel(cancel).await,
        Command::Explain(explain) => explain::explain(explain).await,
        Command::Open(open) => open::open(open).await,
        Command::BuildServer => unreachable!("it is run before the runtime starts"),
    }
}
