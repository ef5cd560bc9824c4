//! The proxy as a process of its own; with the argument `health`, a question to the one that serves.

use std::process::ExitCode;

use gitdeploy_runtime::{exit, health, process_vars, section};
use mimalloc::MiMalloc;
use request_handler::Config;

/// An answer takes two dozen small allocations, which are a tenth of what is done for it outside of the system.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    exit::code(start().await)
}

async fn start() -> anyhow::Result<ExitCode> {
    let vars = process_vars()?;
    if health::is_asked()? {
        let config: Config = section("GITDEPLOY_PROXY_", &vars)?;
        return health::ask(config.asked_at()).await;
    }
    request_handler::run(&vars).await
}
