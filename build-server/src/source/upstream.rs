//! A repository on its server, as libgit2 fetches from it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use git2::cert::Cert;
use git2::{
    AutotagOption, CertificateCheckStatus, Cred, CredentialType, Direction, ErrorClass, ErrorCode,
    FetchOptions, ProxyOptions, RemoteCallbacks, Repository,
};
use gitdeploy_core::Phase;
use secrecy::ExposeSecret as _;

use super::address::{Address, Login};
use super::budget::Budget;
use super::host_key::{HostKey, Verdict};
use super::http::{self, Link};
use super::problem::{self, Problem};
use super::reference::{FETCHED, Tip, Wanted};
use super::session::Session;
use crate::stop::Stop;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// How far back is looked at first for a commit that is not the tip of anything.
const NEAR: i32 = 50;

/// All the history that there is.
const ALL: i32 = i32::MAX;

/// The way to one repository.
#[derive(Debug)]
pub(super) struct Upstream<'a> {
    session: &'a Session,
    address: &'a Address,
    login: Option<Login>,
    /// For addresses of HTTP.
    link: Option<Arc<Link>>,
    /// Why a callback has ended what libgit2 did.
    refusal: RefCell<Option<Stop>>,
}

impl<'a> Upstream<'a> {
    /// Refuses addresses that must not be talked to.
    pub(super) fn new(session: &'a Session, address: &'a Address) -> Result<Self, Stop> {
        http::register();
        session.web.admit(address).map_err(|problem| problem.into_stop(&address.shown))?;
        let login = session.credentials.login(address);
        let link = address.is_http().then(|| Link::new(session.web.clone(), address.clone(), login.clone()));
        Ok(Self { session, address, login, link, refusal: RefCell::default() })
    }

    /// Fetches what `wanted` names into the repository at `target`, which is made if there is none.
    pub(super) fn fetch(&self, wanted: &Wanted, target: &Path) -> Result<(Repository, Tip), Stop> {
        self.session.with_tries(&self.address.shown, || {
            self.within(|| {
                let repository = Repository::init(target)?;
                let mut config = repository.config()?;
                config.set_str("remote.origin.url", &self.address.shown)?;
                // The files get another owner before the build sees them, and are the same to git all the same.
                config.set_str("core.checkStat", "minimal")?;
                let tip = self.fetch_once(wanted, &repository)?;
                Ok((repository, tip))
            })
        })
    }

    /// Fetches the history of what was fetched before.
    pub(super) fn deepen(&self, repository: &Repository, refspecs: &[String]) -> Result<(), Stop> {
        self.session.with_tries(&self.address.shown, || {
            self.within(|| {
                let mut remote = repository.remote_anonymous(&self.address.shown)?;
                self.pull(&mut remote, refspecs, ALL)
            })
        })
    }

    fn within<T>(&self, run: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
        match &self.link {
            Some(link) => link.within(run),
            None => run(),
        }
    }

    fn fetch_once(&self, wanted: &Wanted, repository: &Repository) -> Result<Tip, Problem> {
        let mut remote = repository.remote_anonymous(&self.address.shown)?;
        let mut connection = remote
            .connect_auth(Direction::Fetch, Some(self.callbacks()), Some(proxy()))
            .map_err(|error| self.cause(error))?;
        let heads = connection.list()?;
        if let Some(tip) = wanted.among(heads)? {
            self.pull(connection.remote(), &tip.refspecs, 1)?;
            return tip.in_repository(repository, wanted);
        }
        if let Some(tip) = wanted.by_id()
            && let Ok(tip) = self.handed_out(connection.remote(), &tip, repository, wanted)
        {
            return Ok(tip);
        }
        // Many servers hand out no commit that is not the tip of a branch, and none takes a part of an id.
        self.session.recorder.say(Phase::Clone, "looking for the commit in all branches and tags");
        let refspecs = ["heads", "tags"].map(|kind| format!("+refs/{kind}/*:{FETCHED}/{kind}/*"));
        for depth in [NEAR, ALL] {
            self.pull(connection.remote(), &refspecs, depth)?;
            if let Some(tip) = wanted.found_in(repository, &refspecs)? {
                return Ok(tip);
            }
        }
        Err(wanted.missing().into())
    }

    fn handed_out(
        &self,
        remote: &mut git2::Remote<'_>,
        tip: &Tip,
        repository: &Repository,
        wanted: &Wanted,
    ) -> Result<Tip, Problem> {
        self.pull(remote, &tip.refspecs, 1)?;
        tip.clone().in_repository(repository, wanted)
    }

    fn pull(&self, remote: &mut git2::Remote<'_>, refspecs: &[String], depth: i32) -> Result<(), Problem> {
        let mut options = FetchOptions::new();
        options.remote_callbacks(self.callbacks()).proxy_options(proxy());
        options.download_tags(AutotagOption::None).update_fetchhead(false).depth(depth);
        remote.fetch(refspecs, Some(&mut options), None).map_err(|error| self.cause(error))
    }

    /// What is behind an error of libgit2.
    fn cause(&self, error: git2::Error) -> Problem {
        let refusal = self.refusal.take().map(Problem::Stop);
        let problem = refusal.or_else(|| self.link.as_ref()?.take_problem());
        problem.unwrap_or(Problem::Git(error))
    }

    fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        let mut asked = false;
        callbacks.credentials(move |_, user, allowed| self.credential(user, allowed, &mut asked));
        callbacks.certificate_check(|certificate, _| self.check_host(certificate));
        let mut shown = Instant::now();
        let mut seen = 0;
        callbacks.transfer_progress(move |progress| {
            let received = progress.received_bytes() as u64;
            if shown.elapsed() >= PROGRESS && !self.budget().cancel().is_cancelled() {
                shown = Instant::now();
                let (done, total) = (progress.received_objects() as u64, progress.total_objects() as u64);
                self.session.recorder.progress(Phase::Clone, done, Some(total), "objects");
            }
            // Over HTTP they are counted where they come in.
            let new = if self.link.is_some() { 0 } else { received.saturating_sub(seen) };
            seen = received;
            let counted = self.budget().receive(new);
            counted.map_err(|stop| self.refusal.replace(Some(stop))).is_ok()
        });
        callbacks
    }

    /// What an SSH server gets; over HTTP the link logs in.
    fn credential(
        &self,
        user: Option<&str>,
        allowed: CredentialType,
        asked: &mut bool,
    ) -> Result<Cred, git2::Error> {
        let login = self.login.as_ref();
        let name = login.map(|login| login.user.as_str()).filter(|name| !name.is_empty());
        let name = name.or(user).unwrap_or("git");
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(name);
        }
        // A server that asks again has refused what it got.
        let is_first = !std::mem::replace(asked, true);
        if let Some(login) =
            login.filter(|_| is_first && allowed.contains(CredentialType::USER_PASS_PLAINTEXT))
        {
            return Cred::userpass_plaintext(name, login.password.expose_secret());
        }
        let key = self.session.credentials.key(self.address);
        if let Some(key) = key.filter(|_| is_first && allowed.contains(CredentialType::SSH_KEY)) {
            return Cred::ssh_key_from_memory(name, None, key.expose_secret(), None);
        }
        self.refusal.replace(Some(problem::no_login(&self.address.shown, !is_first)));
        Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, "a login is needed"))
    }

    /// Whether an SSH server is who it should be. What our own lines do not know is left to libgit2, which reads
    /// `~/.ssh/known_hosts`.
    fn check_host(&self, certificate: &Cert<'_>) -> Result<CertificateCheckStatus, git2::Error> {
        let Some(blob) = certificate.as_hostkey().and_then(|key| key.hostkey()) else {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        };
        let key = HostKey { blob: blob.to_vec() };
        let verdict = key.judge(&self.session.credentials.known_hosts, self.address);
        if verdict == Verdict::Known {
            return Ok(CertificateCheckStatus::CertificateOk);
        }
        self.refusal.replace(Some(key.refuse(verdict, self.address)));
        if verdict == Verdict::Unknown {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        }
        Err(git2::Error::new(ErrorCode::Certificate, ErrorClass::Ssh, "the key of the host is another one"))
    }

    fn budget(&self) -> &Budget {
        &self.session.web.budget
    }
}

/// The operator's proxy, if there is one.
fn proxy() -> ProxyOptions<'static> {
    let mut proxy = ProxyOptions::new();
    proxy.auto();
    proxy
}
