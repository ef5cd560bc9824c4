//! The control plane: deploy requests, the catalog, launches, routes and live logs.
//!
//! [`Control::open`] puts the parts together, [`serve`] runs them until the process is told to stop.

mod access;
mod active;
pub mod api;
mod build;
pub mod catalog;
mod conclude;
mod config;
mod control;
mod data;
mod git_address;
pub mod launcher;
mod log;
mod pages;
mod persist;
mod problem;
mod recover;
mod routes;
mod scheduler;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use gitdeploy_bus::{BusConfig, EventBus};
use gitdeploy_runtime::ready::wait_for;
use gitdeploy_runtime::{SettingError, Vars, section};
use gitdeploy_store::{ObjectStore, StoreConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use api::router;
pub use catalog::{Catalog, CatalogError};
pub use config::{Config, SitesUrl};
pub use control::Control;
pub use data::{OpenError, check_data_directory};
pub use launcher::Launcher;
pub use problem::{ApiError, Problem};

/// Where the service listens when nothing else is said.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8081);

/// Puts the service of a process of its own together, as its variables say, and waits until the store and
/// the bus can be reached.
pub async fn open(vars: &Vars, stopping: CancellationToken) -> anyhow::Result<Control> {
    let config = Config::from_vars(vars)?;
    let store: StoreConfig = section("GITDEPLOY_STORE_", vars)?;
    let bus: BusConfig = section("GITDEPLOY_BUS_", vars)?;
    if store.bucket.is_none() && store.directory.is_none() {
        let reason = "it is not set, nor is `GITDEPLOY_STORE_BUCKET`: builders are processes of their own \
                      and cannot share a store in memory";
        return Err(SettingError::new("GITDEPLOY_STORE_DIRECTORY", reason).into());
    }
    let builder = config.builder_path().context("cannot find the directory of this program")?;
    // What nobody needs to wait for is said at once.
    check_data_directory(&config.data_directory)?;
    let bound = Duration::from_secs(config.ready_seconds);
    let store = wait_for("the store", bound, async || {
        let store = ObjectStore::open(&store).await?;
        store.check().await.map(|()| store)
    })
    .await?;
    let bus = wait_for("the bus", bound, async || EventBus::open(&bus).await).await?;
    tracing::info!(store = store.describe(), bus = bus.describe(), builder = %builder.display(), "opened");
    let launcher = Launcher::process(builder, Vec::new(), vars);
    Ok(Control::open(config, store, bus, launcher, stopping).await?)
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
