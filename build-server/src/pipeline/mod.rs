//! A build from its first phase to its last.

mod ending;
mod packages;
mod steps;
mod workspace;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use gitdeploy_core::event::{Outcome, PhaseChange, PhaseState};
use gitdeploy_core::manifest::Origin;
use gitdeploy_core::size::{files as count, size};
use gitdeploy_core::{BuildSpec, End, Phase};
use gitdeploy_runtime::Vars;
use gitdeploy_store::ObjectStore;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use packages::Installed;
pub(crate) use workspace::Workspace;

use crate::cache::{Cache, Restored, Saving};
use crate::classify;
use crate::config::Config;
use crate::log::Recorder;
use crate::output::{self, SiteFile, Snapshot};
use crate::plan::{self, Plan, Preset};
use crate::publish::{Asset, Publication, Subject};
use crate::sandbox::{Owner, Sandbox};
use crate::site::{self, Names, Site};
use crate::source::{self, Fetched};
use crate::stop::{Stop, disk};

/// Runs all phases and says how it ended. The workspace comes with it: to remove it takes its time, and the end is to
/// be told before.
pub(crate) async fn run(
    spec: &BuildSpec,
    config: &Config,
    vars: &Vars,
    store: &ObjectStore,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> (End, Option<Workspace>) {
    let (started, peak, workspace) = (Timestamp::now(), AtomicU64::new(0), OnceLock::new());
    let build = Build { spec, config, vars, store, recorder, cancel, started, peak, workspace };
    let end = match build.run().await {
        Ok(end) => end,
        Err(Stop { outcome, failure, exit_code, signal, phase }) => {
            End { exit_code, signal, ..End::unsuccessful(outcome, phase, failure) }
        }
    };
    let peak = build.peak.into_inner();
    (End { peak_memory_bytes: (peak > 0).then_some(peak), ..end }, build.workspace.into_inner())
}

struct Build<'a> {
    spec: &'a BuildSpec,
    config: &'a Config,
    /// The variables of the builder.
    vars: &'a Vars,
    store: &'a ObjectStore,
    recorder: &'a Recorder,
    cancel: &'a CancellationToken,
    started: Timestamp,
    /// The most memory that commands held so far, in bytes.
    peak: AtomicU64,
    /// Where it is done, once there is such a place.
    workspace: OnceLock<Workspace>,
}

/// What came of a phase.
struct Done<T> {
    value: T,
    summary: Option<String>,
    exit_code: Option<i32>,
}

/// What a build has made.
struct Built<'a> {
    files: Vec<SiteFile>,
    origin: Origin,
    /// The directory of the project that was built, and the site generator that it uses.
    project: Option<PathBuf>,
    preset: Option<&'static Preset>,
    /// What is kept for later builds once the site is published.
    keeps: Option<(Cache<'a>, Saving)>,
}

impl Build<'_> {
    async fn run(&self) -> Result<End, Stop> {
        let boot = async { Workspace::make(self.config).map(Done::of) };
        let made = self.in_phase(Phase::Boot, boot).await?;
        let workspace = self.workspace.get_or_init(|| made);

        let source = workspace.source();
        let fetch = source::fetch(self.spec, self.config, self.store, &source, self.recorder, self.cancel);
        let mut fetched = self.in_phase(Phase::Clone, async { Ok(Done::of(fetch.await?)) }).await?;
        fetched.origin.message.iter_mut().for_each(|message| self.recorder.secrets().redact(message));

        let mut built = if fetched.prebuilt {
            let files = self.in_phase(Phase::Validate, self.walk(&source, false, Owner::ours())).await?;
            Built { files, origin: fetched.origin, project: None, preset: None, keeps: None }
        } else {
            self.build(workspace, fetched).await?
        };
        let (site, assets) = self.in_phase(Phase::Process, self.process(&mut built, &source)).await?;
        let Built { origin, keeps, .. } = built;

        let subject = Subject { site, origin, started: self.started, room: workspace.variants() };
        let publication =
            Publication::new(self.spec, self.config, subject, self.store, self.recorder, self.cancel);
        let upload = async {
            let manifest = publication.publish(&assets).await?;
            let summary = format!("{}, {}", count(manifest.files.len() as u64), size(manifest.bytes()));
            Ok(Done { value: manifest, summary: Some(summary), exit_code: None })
        };
        let manifest = self.in_phase(Phase::Upload, upload).await?;
        if let Some((cache, saving)) = keeps {
            self.save(&cache, saving).await;
        }
        Ok(End::ready(manifest.files.len() as u64, manifest.bytes()))
    }

    /// Plans, installs and builds.
    async fn build(&self, workspace: &Workspace, fetched: Fetched) -> Result<Built<'_>, Stop> {
        let source = workspace.source();
        let sandbox = &Sandbox::open(&self.config.users, self.config.ready()).await?;
        let path = workspace.path(self.vars, sandbox);
        let planning = async {
            let (tree, settings, tools) = (source.clone(), self.spec.settings.clone(), path.clone());
            let work = move || plan::plan(&tree, &settings, &tools);
            let plan = plan::within(plan::LIMIT, work).await?;
            let cache = self.cache(workspace, sandbox, &plan);
            self.recorder.plan(plan.decisions.lines().into_iter().chain(cache.decision()).collect());
            Ok(Done::of((plan, cache)))
        };
        let (mut plan, mut cache) = self.in_phase(Phase::Plan, planning).await?;
        if let (Some(history), Some(because)) = (fetched.history, &plan.history) {
            history.fetch(because).await?;
        }
        let (home, temporary) = (workspace.home(), workspace.temporary());
        let told = plan::told(&plan, self.spec, &fetched.origin);
        let mut environment = plan::environment(told, &home, &path, self.vars, &self.config.pass);
        environment.push(("TMPDIR".to_owned(), temporary.into()));
        workspace.hand_over(sandbox).await?;

        let mut restored = Restored::default();
        if cache.restores() {
            restored = self.in_phase(Phase::Restore, self.restore(&cache)).await?;
            restored.adapt(&mut plan, &mut environment);
        }
        if plan.install.is_some() || plan.tool.is_some() || plan.node.is_some() {
            let install = self.install(&plan, workspace, sandbox, &environment);
            if self.in_phase(Phase::Install, install).await? == Installed::Otherwise {
                cache.forget_packages();
            }
        }
        cache.installed();
        cache.place(&mut restored);
        let before = Snapshot::of(&plan.root);
        if let Some(build) = &plan.build {
            self.in_phase(Phase::Build, self.command(Phase::Build, build, sandbox, &environment)).await?;
        }
        let keeps = cache.pack(&restored).map(|saving| (cache, saving));
        let find = async {
            let found = output::find(&plan.root, &plan.output, &before)?;
            if let Some(notice) = found.notice {
                self.recorder.notice(notice);
            }
            self.walk(&found.directory, plan.build.is_none(), sandbox.owner()).await
        };
        let files = self.in_phase(Phase::Validate, find).await?;
        let (project, preset) = (Some(plan.root), plan.preset);
        Ok(Built { files, origin: fetched.origin, project, preset, keeps })
    }

    /// Reads what the author says about serving, tells what is wrong in it and which links lead nowhere, and reads
    /// what the files contain.
    async fn process(&self, built: &mut Built<'_>, source: &Path) -> Result<Done<(Site, Vec<Asset>)>, Stop> {
        let mut files = std::mem::take(&mut built.files);
        let (project, source, cancel) = (built.project.clone(), source.to_owned(), self.cancel.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let rules = site::rules(&mut files, project.as_deref(), &source);
            let links = site::report(&files, &rules, &cancel);
            (files, rules, links)
        });
        let read = reading.await.map_err(|error| disk("cannot read the output")(error.into()))?;
        let (files, rules, links) = read;
        for notice in site::notices(&rules.problems).into_iter().chain(links) {
            self.recorder.notice(notice);
        }
        let assets = Asset::of(files).await?;
        let summary = site::summary(&rules);
        let names = Names::of(built.preset);
        Ok(Done { value: (Site { rules, names }, assets), summary, exit_code: None })
    }

    fn cache(&self, workspace: &Workspace, sandbox: &Sandbox, plan: &Plan) -> Cache<'_> {
        let BuildSpec { project, cache, .. } = self.spec;
        Cache::new(*cache, project, self.store, self.recorder, workspace.top(), sandbox.owner(), plan)
    }

    async fn restore(&self, cache: &Cache<'_>) -> Result<Done<Restored>, Stop> {
        match self.cancel.run_until_cancelled(cache.restore()).await {
            Some(restored) => {
                let summary = Some(restored.summary());
                Ok(Done { value: restored, summary, exit_code: None })
            }
            None => Err(Stop::canceled()),
        }
    }

    /// The site is published already, so nothing that happens now changes how the build ends.
    async fn save(&self, cache: &Cache<'_>, saving: Saving) {
        let save = async {
            let summary = self.cancel.run_until_cancelled(cache.save(saving)).await;
            Ok(Done { value: (), summary, exit_code: None })
        };
        self.in_phase(Phase::Save, save).await.ok();
    }

    async fn walk(&self, directory: &Path, plain: bool, owner: Owner) -> Result<Done<Vec<SiteFile>>, Stop> {
        let (directory, config) = (directory.to_owned(), self.config.clone());
        let files = tokio::task::spawn_blocking(move || output::walk(&directory, plain, owner, &config))
            .await
            .map_err(|error| disk("cannot read the output directory")(error.into()))??;
        let files = output::refuse_secrets(files, self.recorder.secrets().clone(), self.config).await?;
        if !files.iter().any(|file| file.path.as_str() == "index.html") {
            self.recorder.notice("the site has no `index.html` at its top: its front page will not be found");
        }
        let bytes = files.iter().map(|file| file.bytes).sum();
        let summary = format!("{}, {}", count(files.len() as u64), size(bytes));
        Ok(Done { value: files, summary: Some(summary), exit_code: None })
    }

    /// Runs `work` as a phase: its begin and its end are recorded.
    async fn in_phase<T>(
        &self,
        phase: Phase,
        work: impl Future<Output = Result<Done<T>, Stop>>,
    ) -> Result<T, Stop> {
        self.recorder.begin(phase);
        let start = Instant::now();
        let result = work.await;
        let ms = u64::try_from(start.elapsed().as_millis()).ok();
        let (state, exit_code, summary) = match &result {
            Ok(done) => (PhaseState::Finished, done.exit_code, done.summary.clone()),
            Err(stop) => (PhaseState::Failed, stop.exit_code, None),
        };
        self.recorder.phase(PhaseChange { phase, state, ms, exit_code, summary });
        match result {
            Ok(done) => Ok(done.value),
            Err(stop) => Err(self.explained(stop, phase).during(phase)),
        }
    }

    /// The same stop, with what the log says about a command that failed.
    fn explained(&self, stop: Stop, phase: Phase) -> Stop {
        let is_of_a_command = matches!(phase, Phase::Install | Phase::Build)
            && matches!(stop.outcome, Outcome::Failed | Outcome::TimedOut);
        // What has a hint is explained already.
        if !is_of_a_command || stop.failure.hint.is_some() {
            return stop;
        }
        let lines = self.recorder.last_lines(phase);
        let failure = classify::explain(stop.failure, phase, lines.iter().map(String::as_str));
        Stop { failure, ..stop }
    }
}

impl<T> Done<T> {
    fn of(value: T) -> Self {
        Self { value, summary: None, exit_code: None }
    }
}
