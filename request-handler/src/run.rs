//! The proxy as a process: settings, store, ports, lifecycle.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use gitdeploy_bus::{BusConfig, EventBus};
use gitdeploy_runtime::telemetry::LogConfig;
use gitdeploy_runtime::{Lifecycle, ready, section, telemetry};
use gitdeploy_store::{ObjectStore, StoreConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::admin::{self, Told};
use crate::connection::{Options, Server};
use crate::readiness::{Readiness, Stage};
use crate::{Config, Handler, open_files};

/// How much longer the process waits than connections have: for them to be closed in order.
const CLOSING: Duration = Duration::from_secs(2);

/// Serves sites as `vars` say until the process is told to stop.
pub async fn run(vars: &[(String, String)]) -> anyhow::Result<ExitCode> {
    let config: Config = section("GITDEPLOY_PROXY_", vars)?;
    let store: StoreConfig = section("GITDEPLOY_STORE_", vars)?;
    let bus: BusConfig = section("GITDEPLOY_BUS_", vars)?;
    let log: LogConfig = section("GITDEPLOY_LOG_", vars)?;
    telemetry::init(&log)?;
    let (trust, certificates) = (config.trust()?, config.certificates()?);
    open_files::raise(config.connections);

    if store.bucket.is_none() && store.directory.is_none() {
        tracing::warn!(
            "no store is configured: there is nothing to serve; set `GITDEPLOY_STORE_BUCKET` or `GITDEPLOY_STORE_DIRECTORY`"
        );
    }
    let store = ObjectStore::open_for_reading(&store).await.context("cannot open the store")?;
    let described = store.describe();
    let handler = Handler::new(store.clone(), &config);
    let mut lifecycle =
        Lifecycle::new(config.drain_delay().saturating_add(config.grace()).saturating_add(CLOSING))?;
    // The operator's port is there before the others, and until their last request has ended.
    let (readiness, ended) = (Readiness::default(), CancellationToken::new());
    if let Some(admin) = config.admin_listen {
        let listener = listen(admin).await?;
        tracing::info!(admin_address = %listener.local_addr()?, "the operator's port is open");
        let told = Told { readiness: readiness.clone(), handler: handler.clone() };
        let ended = ended.clone();
        lifecycle.spawn("the operator's port", async move {
            admin::serve(listener, told, ended).await;
            Ok(())
        });
    }
    let what = format!("the store ({described})");
    let reached = ready::wait_for(&what, config.ready(), async || store.check().await);
    match lifecycle.unless_stopped(reached).await {
        Some(reached) => reached?,
        None => return Ok(ExitCode::SUCCESS),
    }

    let options = Options {
        limits: config.limits(),
        trust,
        has_proxy_headers: config.proxy_protocol,
        access_log: config.access_log.then(AccessLog::to_stdout).transpose()?,
        readiness: readiness.clone(),
        drain_delay: config.drain_delay(),
        grace: config.grace(),
    };
    let mut server = Server::new(handler.clone(), options);
    if let (Some(address), Some(certificates)) = (config.tls_listen, certificates) {
        let listener = listen(address).await?;
        tracing::info!(tls_address = %listener.local_addr()?, "TLS is spoken");
        server = server.listen_tls(listener, &certificates);
        let stopping = lifecycle.stopping();
        lifecycle.spawn("the certificates", async {
            certificates.follow(stopping).await;
            Ok(())
        });
    }
    let listener = listen(config.listen).await?;
    let address = listener.local_addr()?;
    if bus.redis_url.is_some() {
        // Without the bus everything works, only news come later: it is not waited for.
        let bus = EventBus::open_unasked(&bus)?;
        let following = handler.follow(bus.follow_routes(), lifecycle.stopping());
        lifecycle.spawn("news of routes", following);
    }
    readiness.enter(Stage::Serving);
    tracing::info!(%address, domain = %config.domain, store = %described, "listening");
    let serving = server.listen(listener).serve(lifecycle.stopping());
    lifecycle.spawn("proxy", async move {
        serving.await;
        ended.cancel();
        Ok(())
    });
    lifecycle.run().await
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
