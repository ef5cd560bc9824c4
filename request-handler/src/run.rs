//! The proxy as a process: settings, store, listener, lifecycle.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use gitdeploy_bus::{BusConfig, EventBus};
use gitdeploy_runtime::telemetry::LogConfig;
use gitdeploy_runtime::{Lifecycle, ready, section, telemetry};
use gitdeploy_store::{ObjectStore, StoreConfig};
use tokio::net::TcpListener;

use crate::{Config, Handler, serve};

/// How much longer the process waits than connections have: for them to be closed in order.
const CLOSING: Duration = Duration::from_secs(2);

/// Serves sites as `vars` say until the process is told to stop.
pub async fn run(vars: &[(String, String)]) -> anyhow::Result<ExitCode> {
    let config: Config = section("GITDEPLOY_PROXY_", vars)?;
    let store: StoreConfig = section("GITDEPLOY_STORE_", vars)?;
    let bus: BusConfig = section("GITDEPLOY_BUS_", vars)?;
    let log: LogConfig = section("GITDEPLOY_LOG_", vars)?;
    telemetry::init(&log)?;

    if store.bucket.is_none() && store.directory.is_none() {
        tracing::warn!(
            "no store is configured: there is nothing to serve; set `GITDEPLOY_STORE_BUCKET` or `GITDEPLOY_STORE_DIRECTORY`"
        );
    }
    let store = ObjectStore::open_for_reading(&store).await.context("cannot open the store")?;
    let described = store.describe();
    ready::wait_for(&format!("the store ({described})"), config.ready(), async || store.check().await)
        .await?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let mut lifecycle = Lifecycle::new(config.grace() + CLOSING)?;
    tracing::info!(%address, domain = %config.domain, store = %described, "listening");
    let handler = Handler::new(store, &config);
    if bus.redis_url.is_some() {
        // Without the bus everything works, only news come later: it is not waited for.
        let bus = EventBus::open_unasked(&bus)?;
        let following = handler.clone().follow(bus.follow_routes(), lifecycle.stopping());
        lifecycle.spawn("news of routes", following);
    }
    lifecycle.spawn("proxy", serve(listener, handler, lifecycle.stopping(), config.grace()));
    lifecycle.run().await
}
