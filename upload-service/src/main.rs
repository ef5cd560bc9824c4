//! The control plane as a program; with the argument `health`, a question to the one that serves.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use gitdeploy_runtime::{Lifecycle, become_undumpable, exit, health, process_vars, section, telemetry};
use tokio::net::TcpListener;
use upload_service::{Config, open, serve};

#[tokio::main]
async fn main() -> ExitCode {
    exit::code(start().await)
}

async fn start() -> anyhow::Result<ExitCode> {
    let vars = process_vars()?;
    let config = Config::from_vars(&vars)?;
    if health::is_asked()? {
        return health::ask(config.listen).await;
    }
    telemetry::init(&section("GITDEPLOY_LOG_", &vars)?)?;
    become_undumpable();
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {} (`GITDEPLOY_API_LISTEN`)", config.listen))?;
    let mut lifecycle = Lifecycle::new(Duration::from_secs(config.grace_seconds))?;
    let opening = open(&vars, lifecycle.stopping());
    let Some(control) = lifecycle.unless_stopped(opening).await else { return Ok(ExitCode::SUCCESS) };
    let control = control?;
    lifecycle.spawn("upload-service", serve(listener, control));
    lifecycle.run().await
}
