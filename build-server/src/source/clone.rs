//! Clones one commit with libgit2: one reference, no history, until the plan wants it.

use std::path::Path;
use std::sync::Arc;

use git2::Repository;
use gitdeploy_core::event::Decision;
use gitdeploy_core::manifest::{self, Origin};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::budget::{Budget, too_slow};
use super::checkout::checkout;
use super::history::History;
use super::lfs;
use super::reference::{Tip, Wanted};
use super::rules::Rules;
use super::session::Session;
use super::submodules::Submodules;
use super::upstream::Upstream;
use super::web::{self, Web};
use crate::config::Config;
use crate::log::Recorder;
use crate::stop::{Stop, disk};

/// Bounds the waiting for git servers, which libgit2 leaves unbounded. To be called before any thread is started.
pub fn set_timeouts() {
    let milliseconds = |time: std::time::Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: both write a global of libgit2 without synchronization, which is sound as long as no other
    // thread runs; `process` calls this before it starts the runtime.
    #[expect(unsafe_code, reason = "git2 has no safe way to set these")]
    let set = unsafe {
        git2::opts::set_server_connect_timeout_in_milliseconds(milliseconds(web::CONNECT))
            .and_then(|()| git2::opts::set_server_timeout_in_milliseconds(milliseconds(web::SILENCE)))
    };
    if let Err(error) = set {
        tracing::warn!(%error, "waiting for git servers is not bounded");
    }
}

/// Clones `reference`, or the default branch, into the empty directory `target`.
pub(super) async fn clone(
    address: Address,
    reference: Option<&str>,
    target: &Path,
    config: &Config,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<(Origin, History), Stop> {
    let shown = address.shown.clone();
    recorder.say(gitdeploy_core::Phase::Clone, format!("cloning {shown}"));
    let session = session(config, recorder, cancel);
    let wanted = Wanted::of(reference);
    let (history, target) = ((session.clone(), address.clone()), target.to_owned());
    let place = target.clone();
    let cloned = in_time(config, cancel, move || run(&session, &address, &wanted, &place)).await?;
    recorder.plan(cloned.decisions());
    let (session, address) = history;
    let history = History { session, address, refspecs: cloned.tip.refspecs, target };
    let origin = Origin {
        repository: Some(shown),
        reference: cloned.tip.name,
        commit: Some(cloned.tip.commit.to_string()),
        message: cloned.message,
    };
    Ok((origin, history))
}

fn session(config: &Config, recorder: &Recorder, cancel: &CancellationToken) -> Session {
    let budget = Arc::new(Budget::new(config, cancel));
    Session {
        web: Web::new(Handle::current(), Rules::of(config), budget),
        credentials: Arc::new(config.git.clone()),
        recorder: recorder.clone(),
    }
}

/// libgit2 blocks, at worst until its own timeout; the build does not wait for it.
async fn in_time<T: Send + 'static>(
    config: &Config,
    cancel: &CancellationToken,
    run: impl FnOnce() -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    let running = tokio::task::spawn_blocking(run);
    tokio::select! {
        done = running => done.map_err(|error| disk("the clone did not end")(error.into()))?,
        () = cancel.cancelled() => Err(Stop::canceled()),
        () = tokio::time::sleep(config.clone_limit()) => Err(too_slow()),
    }
}

struct Cloned {
    tip: Tip,
    message: Option<String>,
}

fn run(session: &Session, address: &Address, wanted: &Wanted, target: &Path) -> Result<Cloned, Stop> {
    let upstream = Upstream::new(session, address)?;
    let (repository, tip) = upstream.fetch(wanted, target)?;
    let checked_out = checkout(&repository, tip.commit, &session.web.budget)?;
    lfs::fetch(session, address, &repository, &checked_out.pointers)?;
    Submodules::new(session).fetch(address, target, &checked_out)?;
    let message = summary(&repository, &tip);
    Ok(Cloned { tip, message })
}

fn summary(repository: &Repository, tip: &Tip) -> Option<String> {
    let commit = repository.find_commit(tip.commit).ok()?;
    commit.summary().ok().flatten().map(manifest::summary)
}

impl Cloned {
    fn decisions(&self) -> Vec<Decision> {
        let because = match &self.tip.name {
            Some(reference) => format!("the tip of `{reference}`"),
            None => "the commit that was asked for".to_owned(),
        };
        let decision = |name: &str, value: &str, because: &str| Decision {
            name: name.to_owned(),
            value: value.to_owned(),
            because: because.to_owned(),
            file: None,
        };
        let mut decisions = vec![decision("commit", &self.tip.commit.to_string(), &because)];
        if let Some(reference) = &self.tip.name {
            decisions.push(decision("reference", reference, "what the commit was found by"));
        }
        if let Some(message) = &self.message {
            decisions.push(decision("message", message, "what the commit says"));
        }
        decisions
    }
}
