//! What a process says of itself, on standard error: text for people or JSON for machines.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::settings::SettingError;

/// The settings `GITDEPLOY_LOG_*`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// What is said, as directives such as `info,request_handler=debug`; absent: `info`.
    pub filter: Option<String>,
}

/// How the lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts to write what the process says. Called a second time, as tests do, it changes nothing.
pub fn init(config: &LogConfig) -> Result<(), SettingError> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .parse(config.filter.as_deref().unwrap_or_default())
        .map_err(|error| SettingError::new("GITDEPLOY_LOG_FILTER", error.to_string()))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "telemetry runs already");
    }
    Ok(())
}
