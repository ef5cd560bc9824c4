//! The builder: from a repository to a published deployment, in one run.
//!
//! [`process`] is the whole program; `pipeline` reads like the list of its phases.

mod archive;
mod cache;
mod cancel;
mod claim;
mod classify;
mod command;
mod config;
mod log;
mod memory;
mod output;
pub mod pack;
mod pipeline;
mod plan;
pub mod planning;
mod publish;
mod sandbox;
mod secrets;
mod site;
mod source;
mod stop;
mod variants;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gitdeploy_bus::{BusConfig, EventBus};
use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Attempt, BuildSpec, End, Failure, FailureCode};
use gitdeploy_runtime::ready::wait_for;
use gitdeploy_runtime::{SettingError, Vars, exit, section, telemetry};
use gitdeploy_store::{ObjectStore, StoreConfig};
use jiff::Timestamp;

pub use config::Config;
pub use sandbox::enter as enter_sandbox;

use secrets::{Known, Secrets};
use stop::Stop;

/// What a canceled build exits with: 128 and the number of SIGINT, as shells do.
pub const CANCELED: u8 = 130;

/// Runs one build as the variables say, and returns the exit code of the process. To be called before any
/// thread is started.
pub fn process(vars: &Vars) -> ExitCode {
    // What is not a setting is the platform's fault: 1 is for the author's.
    exit::code_or(start(vars), exit::UNAVAILABLE)
}

fn start(vars: &Vars) -> anyhow::Result<ExitCode> {
    let service = claim::service(vars)?;
    // What is wrong in our own environment is said before anything begins.
    let bound = section::<Config>("GITDEPLOY_BUILD_", vars)?.ready();
    telemetry::init(&section("GITDEPLOY_LOG_", vars)?)?;
    source::set_timeouts();
    gitdeploy_runtime::become_undumpable();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let end = runtime.block_on(async {
        let claimed = match service {
            Some(service) => claim::Claimed::fetch(service, vars, bound).await?,
            None => claim::Claimed::nothing(vars),
        };
        let mut settings = Settings::from_vars(&claimed.vars)?;
        claimed.lend_to(&mut settings.store);
        let mut known = Known::of([vars, &claimed.vars], &settings.config.pass, &settings.config.public);
        claimed.secrets().into_iter().for_each(|(name, value)| known.add(name, &value));
        run(settings, &claimed.vars, &known).await
    });
    // A thread that still waits for a git server must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(ExitCode::from(match end?.state {
        Outcome::Ready => exit::SUCCESS,
        Outcome::Failed | Outcome::TimedOut => exit::FAILURE,
        Outcome::Canceled | Outcome::Lost => CANCELED,
        Outcome::PlatformError => exit::UNAVAILABLE,
    }))
}

struct Settings {
    spec: BuildSpec,
    config: Config,
    store: StoreConfig,
    bus: BusConfig,
}

impl Settings {
    fn from_vars(vars: &Vars) -> Result<Self, SettingError> {
        let spec = BuildSpec::from_vars(vars)
            .map_err(|error| SettingError::new(error.variable, error.reason.clone()))?;
        let mut config: Config = section("GITDEPLOY_BUILD_", vars)?;
        config.git = source::Credentials::from_vars(vars)?;
        Ok(Self {
            spec,
            config,
            store: section("GITDEPLOY_STORE_", vars)?,
            bus: section("GITDEPLOY_BUS_", vars)?,
        })
    }
}

async fn run(settings: Settings, vars: &Vars, known: &Known) -> anyhow::Result<End> {
    let Settings { mut spec, config, store, bus } = settings;
    let attempt = *spec.attempt.get_or_insert_with(attempt_now);
    let cancel = cancel::watch(config.launcher)?;
    let bound = config.ready();

    if store.bucket.is_none() && store.directory.is_none() {
        tracing::warn!(
            "no store is configured: what is published ends with this process; set `GITDEPLOY_STORE_BUCKET`"
        );
    }
    let outlet = if bus.redis_url.is_some() {
        let bus = wait_for("the bus", bound, async || EventBus::open(&bus).await);
        match cancel.run_until_cancelled(bus).await {
            Some(bus) => log::Outlet::Bus(bus?),
            None => return Ok(canceled()),
        }
    } else {
        log::Outlet::Stdout
    };
    let secrets = Secrets::new(&known.secrets).context("cannot look for so many secrets")?;
    let limits = log::Limits::of(&config);
    let recorder =
        log::Recorder::new(spec.output_id(), attempt, outlet, limits, Arc::new(secrets), cancel.clone())
            .context("cannot create the file that holds the log")?;
    for name in &known.too_short {
        recorder.notice(format!(
            "the value of `{name}` is too short to be kept secret: it has less than 6 bytes"
        ));
    }

    let store = wait_for("the store", bound, async || open_store(&store).await);
    let store = match cancel.run_until_cancelled(store).await {
        Some(Ok(store)) => store,
        None => {
            recorder.close(None, canceled()).await;
            return Ok(canceled());
        }
        Some(Err(error)) => {
            let failure = Failure::new(FailureCode::StoreUnavailable, error.to_string());
            recorder.close(None, End::unsuccessful(Outcome::PlatformError, None, failure)).await;
            return Err(error.into());
        }
    };
    let (mut end, workspace) = pipeline::run(&spec, &config, vars, &store, &recorder, &cancel).await;
    recorder.redact(&mut end);
    if let Some(failure) = &end.failure {
        tracing::info!(code = %failure.code, "{failure}");
    }
    recorder.close(Some(&store), end.clone()).await;
    drop(workspace);
    Ok(end)
}

fn canceled() -> End {
    let Stop { outcome, failure, .. } = Stop::canceled();
    End::unsuccessful(outcome, None, failure)
}

async fn open_store(config: &StoreConfig) -> Result<ObjectStore, gitdeploy_store::StoreError> {
    let store = ObjectStore::open(config).await?;
    store.check().await?;
    Ok(store)
}

/// Without an upload service nobody counts the attempts; the clock does, so that a later run wins.
fn attempt_now() -> Attempt {
    Attempt(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(1))
}
