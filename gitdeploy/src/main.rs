//! The command line, and the whole platform in one process.

mod cli;
mod client;
mod deploy;
mod ended;
mod exit;
mod list;
mod logs;
mod open;
mod platform;
mod source;
mod up;
mod view;

use std::process::ExitCode;

use clap::Parser as _;
use gitdeploy_runtime::{Vars, process_vars};

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let vars = process_vars();
    match Cli::parse().command {
        // A builder hides from its own kind before it starts a thread.
        Command::BuildServer => build_server::process(&vars),
        command => match tokio::runtime::Runtime::new() {
            Ok(runtime) => exit::code(runtime.block_on(run(command, vars))),
            Err(error) => exit::code(Err(error.into())),
        },
    }
}

async fn run(command: Command, vars: Vars) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(up) => up::up(up, vars).await,
        Command::Deploy(deploy) => deploy::run(deploy, vars).await,
        Command::List(list) => list::list(list).await,
        Command::Logs(logs) => logs::logs(logs).await,
        Command::Open(open) => open::open(open).await,
        Command::BuildServer => unreachable!("it is run before the runtime starts"),
    }
}
