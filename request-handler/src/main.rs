//! The proxy as a process of its own.

use std::process::ExitCode;

use gitdeploy_runtime::{exit, process_vars};

#[tokio::main]
async fn main() -> ExitCode {
    exit::code(request_handler::run(&process_vars()).await)
}
