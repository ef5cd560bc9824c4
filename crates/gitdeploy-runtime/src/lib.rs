//! What every process needs: settings, telemetry, a lifecycle, a question about its health and exit codes.

pub mod exit;
pub mod health;
mod hide;
pub mod lifecycle;
pub mod ready;
pub mod settings;
pub mod telemetry;

pub use hide::become_undumpable;
pub use lifecycle::Lifecycle;
pub use settings::{SettingError, Vars, process_vars, section};
