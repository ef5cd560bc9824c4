//! What the phases of a build write to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitdeploy_core::event::{Decision, LogLine, Outcome, PhaseChange, PhaseState};
use gitdeploy_core::{Attempt, Body, End, Event, OutputId, Phase, Stream, keys};
use gitdeploy_store::{Content, ObjectStore, Put};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use super::limits::Limits;
use super::redact;
use super::sender::{self, Outlet};
use super::spool::Spool;
use crate::secrets::Secrets;

/// How long the store may take for the log, and for that of a build that was canceled.
const ARCHIVE: Duration = Duration::from_mins(1);
const ARCHIVE_CANCELED: Duration = Duration::from_secs(3);

/// How long the end of a build waits for the bus to take more of the log.
const DRAIN: Duration = Duration::from_secs(10);

/// How much of the log is looked at for the reason of a failure, in bytes of events.
const TAIL: usize = 512 << 10;

/// Records what a build tells. Clones record to the same log.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    id: OutputId,
    spool: Arc<Spool>,
    secrets: Arc<Secrets>,
    sender: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Recorder {
    /// An empty log, sent to `outlet` as it grows, without `secrets`. `cancel` is canceled when a later attempt has
    /// taken over.
    pub(crate) fn new(
        id: OutputId,
        attempt: Attempt,
        outlet: Outlet,
        limits: Limits,
        secrets: Arc<Secrets>,
        cancel: CancellationToken,
    ) -> std::io::Result<Self> {
        let spool = Arc::new(Spool::create(limits, secrets.clone())?);
        let sender = tokio::spawn(sender::send(id.clone(), attempt, spool.clone(), outlet, cancel));
        Ok(Self { id, spool, secrets, sender: Arc::new(Mutex::new(Some(sender))) })
    }

    /// A log in which nothing is secret.
    #[cfg(test)]
    pub(crate) fn start(
        id: OutputId,
        attempt: Attempt,
        outlet: Outlet,
        cancel: CancellationToken,
    ) -> std::io::Result<Self> {
        let secrets = Arc::new(Secrets::new(&[]).expect("nothing can be looked for"));
        Self::new(id, attempt, outlet, Limits::of(&crate::config::Config::default()), secrets, cancel)
    }

    /// What must not be in the log.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Replaces the secrets in what is said about the end.
    pub(crate) fn redact(&self, end: &mut End) {
        redact::end(&self.secrets, end);
    }

    /// Lets `write` record what a command has written.
    pub(super) fn write(&self, write: impl FnOnce(&mut Journal)) {
        self.spool.write(write);
    }

    fn event(&self, body: Body) {
        self.spool.write(|journal| journal.event(body));
    }

    /// Records a line of our own.
    pub(crate) fn say(&self, phase: Phase, text: impl Into<String>) {
        self.event(Body::Log(LogLine { phase, stream: Stream::Builder, line: 0, text: text.into() }));
    }

    /// Records something the author should know.
    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.event(Body::Notice { text: text.into() });
    }

    /// Records what was decided.
    pub(crate) fn plan(&self, decisions: Vec<Decision>) {
        self.event(Body::Plan { decisions });
    }

    /// Records how far a phase has come.
    pub(crate) fn progress(&self, phase: Phase, done: u64, total: Option<u64>, unit: &str) {
        self.event(Body::Progress { phase, done, total, unit: unit.to_owned() });
    }

    /// Records that a phase began.
    pub(crate) fn begin(&self, phase: Phase) {
        let state = PhaseState::Started;
        self.phase(PhaseChange { phase, state, ms: None, exit_code: None, summary: None });
    }

    /// Records that a phase ended.
    pub(crate) fn phase(&self, change: PhaseChange) {
        self.event(Body::Phase(change));
    }

    /// What commands of `phase` wrote last.
    pub(crate) fn last_lines(&self, phase: Phase) -> Vec<String> {
        self.spool.last_lines(phase, TAIL).unwrap_or_else(|error| {
            tracing::warn!(%error, "the log cannot be read back");
            Vec::new()
        })
    }

    /// Archives the log, records the end and waits until the bus has taken it, as long as it takes any. Whoever
    /// sees the end finds the archive. What is recorded from now on is lost.
    pub(crate) async fn close(self, store: Option<&ObjectStore>, end: End) {
        // Whoever cancels waits for the end.
        let limit = if end.state == Outcome::Canceled { ARCHIVE_CANCELED } else { ARCHIVE };
        let last = self.spool.close(Body::End(end));
        let archived = match store {
            Some(store) => {
                tokio::time::timeout(limit, self.archive(store, &last)).await.unwrap_or_else(|_| {
                    Err(anyhow::anyhow!("the store did not take it within {} s", limit.as_secs()))
                })
            }
            None => Ok(()),
        };
        match archived {
            Ok(()) => self.spool.append_last(&last),
            Err(error) => {
                tracing::warn!(%error, "the log is not archived");
                let notice = format!("the log could not be archived: {error}");
                self.spool.append_last_with_notice(notice, last);
            }
        }
        self.drain().await;
    }

    async fn drain(&self) {
        let sender = self.sender.lock().expect("no panic while locked").take();
        let Some(mut sender) = sender else { return };
        let mut progress = self.spool.progress();
        loop {
            tokio::select! {
                _ = &mut sender => return,
                Ok(()) = progress.changed() => {}
                () = tokio::time::sleep(DRAIN) => {
                    tracing::warn!("the bus did not take the end of the log in time");
                    return;
                }
            }
        }
    }

    async fn archive(&self, store: &ObjectStore, last: &Event) -> anyhow::Result<()> {
        let (spool, last) = (self.spool.clone(), last.to_json() + "\n");
        let file = tokio::task::spawn_blocking(move || -> std::io::Result<_> {
            let mut encoder = zstd::Encoder::new(tempfile::NamedTempFile::new()?, 0)?;
            spool.copy_to(&mut encoder)?;
            std::io::Write::write_all(&mut encoder, last.as_bytes())?;
            encoder.finish()
        })
        .await??;
        let put = Put { content_type: Some("application/zstd".to_owned()), ..Put::default() };
        store.put(&keys::log(&self.id), Content::File(file.path().to_owned()), put).await?;
        Ok(())
    }
}
