//! The proxy as a process of its own.

use std::process::ExitCode;

use gitdeploy_runtime::{exit, process_vars};

#[tokio::main]
async fn main() -> ExitCode {
    exit::code(start().await)
}

async fn start() -> anyhow::Result<ExitCode> {
    request_handler::run(&process_vars()?).await
}
