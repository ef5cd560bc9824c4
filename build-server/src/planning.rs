//! The plan of a source without its build, for the command line. It needs no platform, and of a directory no
//! network.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use gitdeploy_bus::EventBus;
use gitdeploy_core::event::Outcome;
use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Attempt, End, Failure, OutputId, ProjectId};
use gitdeploy_runtime::{Vars, section};
use tokio_util::sync::CancellationToken;

pub use crate::plan::{Decided, Decisions};
pub use crate::source::set_timeouts;

use crate::config::Config;
use crate::log::{Limits, Outlet, Recorder};
use crate::pack;
use crate::plan;
use crate::secrets::{Known, Secrets};
use crate::source::{self, Credentials};

/// What is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// A directory as it lies there, in the repository that it may be a part of.
    Directory(PathBuf),
    /// A commit of a repository, which is cloned as a builder clones it.
    Repository {
        /// Its address.
        address: String,
        /// The branch, tag or commit; absent: the default branch.
        reference: Option<String>,
    },
}

/// What a build would do.
#[derive(Debug)]
pub struct Planning {
    /// Each value with the rule that decided it.
    pub decisions: Decisions,
    /// The commit, where one was cloned.
    pub origin: Origin,
    /// Whether there are changes that are in no commit yet, which a deployment would not have.
    pub uncommitted_changes: bool,
}

/// That there is no plan, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct NotPlanned {
    /// Whose fault it is.
    pub outcome: Outcome,
    /// What to say about it.
    pub failure: Failure,
}

/// Plans the build of `planned`. `vars` tell where tools are and, of the platform's settings, whether and how
/// repositories may be cloned. A build that is not possible is [`NotPlanned`].
pub async fn plan(
    planned: Planned,
    settings: BuildSettings,
    vars: &Vars,
    cancel: &CancellationToken,
) -> anyhow::Result<Planning> {
    let path = vars.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let path = OsString::from(path.unwrap_or_default());
    match planned {
        Planned::Directory(directory) => {
            let place = pack::place(&directory)?;
            let root = pack::root_below(place.root, settings.root.as_deref());
            let decisions = decide(&place.top, BuildSettings { root, ..settings }, path).await?;
            let uncommitted_changes = place.uncommitted_changes;
            Ok(Planning { decisions, origin: Origin::default(), uncommitted_changes })
        }
        Planned::Repository { address, reference } => {
            let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
            let (reference, target) = (reference.as_deref(), directory.path());
            let origin = clone(&address, reference, target, vars, cancel).await?;
            let decisions = decide(target, settings, path).await?;
            Ok(Planning { decisions, origin, uncommitted_changes: false })
        }
    }
}

async fn clone(
    address: &str,
    reference: Option<&str>,
    target: &Path,
    vars: &Vars,
    cancel: &CancellationToken,
) -> anyhow::Result<Origin> {
    let mut config: Config = section("GITDEPLOY_BUILD_", vars)?;
    config.git = Credentials::from_vars(vars)?;
    let known = Known::of([vars], &config.pass, &config.public);
    let secrets = Arc::new(Secrets::new(&known.secrets).context("cannot look for so many secrets")?);
    // Nobody reads the log: it is that of a clone alone.
    let (id, outlet) = (OutputId::from("plan".parse::<ProjectId>()?), Outlet::Bus(EventBus::memory()));
    let recorder = Recorder::new(id, Attempt(1), outlet, Limits::of(&config), secrets, cancel.clone())
        .context("cannot create the file that holds the log")?;
    let fetched = source::clone_repository(address, reference, target, &config, &recorder, cancel).await;
    let fetched = fetched.map_err(|stop| {
        let mut end = End::unsuccessful(stop.outcome, stop.phase, stop.failure.clone());
        recorder.redact(&mut end);
        NotPlanned { outcome: stop.outcome, failure: end.failure.unwrap_or(stop.failure) }
    })?;
    Ok(fetched.origin)
}

async fn decide(source: &Path, settings: BuildSettings, path: OsString) -> Result<Decisions, NotPlanned> {
    let source = source.to_owned();
    let plan = plan::within(plan::LIMIT, move || plan::plan(&source, &settings, &path)).await;
    let plan = plan.map_err(|stop| NotPlanned { outcome: stop.outcome, failure: stop.failure })?;
    Ok(plan.decisions)
}
