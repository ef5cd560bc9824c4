//! The control plane: deploy requests, the catalog, launches, routes and live logs.
//!
//! [`Control::open`] puts the parts together, [`serve`] runs them until the process is told to stop.

mod access;
mod active;
mod again;
pub mod api;
mod aws;
mod build;
pub mod catalog;
mod conclude;
mod config;
mod control;
mod data;
mod git_address;
mod grants;
pub mod keyring;
pub mod launcher;
mod lease;
pub mod lend;
mod log;
mod pages;
mod parts;
mod persist;
mod problem;
mod promote;
mod protect;
mod recover;
mod routes;
mod scheduler;
mod status;

use std::net::SocketAddr;

use anyhow::Context as _;
use gitdeploy_runtime::Vars;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use api::router;
pub use catalog::{Catalog, CatalogError};
pub use config::{Config, SitesUrl};
pub use control::Control;
pub use data::{OpenError, check_data_directory};
pub use keyring::{Keyring, KeyringConfig};
pub use launcher::Launcher;
pub use lend::{LendConfig, Lender};
pub use parts::{Lend, Parts, Selection};
pub use problem::{ApiError, Problem};

/// Where the service listens when nothing else is said.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8081);

/// Puts the service of a process of its own together, as its variables say, and waits until the store and
/// the bus can be reached.
pub async fn open(vars: &Vars, stopping: CancellationToken) -> anyhow::Result<Control> {
    let config = Config::from_vars(vars)?;
    let selection = Selection::from_vars(&config, vars)?;
    let builder = config.builder_path().context("cannot find the directory of this program")?;
    // What nobody needs to wait for is said at once.
    check_data_directory(&config.data_directory)?;
    let parts = selection.open(&config, Launcher::process(builder, Vec::new(), vars)).await?;
    Ok(Control::open(config, parts, stopping).await?)
}

/// Answers requests and runs builds until the control plane is told to stop; then gives both the time that
/// the settings allow.
pub async fn serve(listener: TcpListener, control: Control) -> anyhow::Result<()> {
    let address = listener.local_addr().context("cannot read the address of the listener")?;
    tracing::info!(%address, "listening");
    let stopping = control.stopping().clone();
    let answering = axum::serve(listener, router(control.clone(), address))
        .with_graceful_shutdown(stopping.cancelled_owned());
    let (answered, ()) = tokio::join!(answering, control.run_builds());
    answered.context("cannot answer requests")
}
