//! Clones one commit with libgit2: one reference, no history.

use std::path::Path;
use std::time::{Duration, Instant};

use git2::build::CheckoutBuilder;
use git2::{
    AutotagOption, Cred, CredentialType, Direction, ErrorClass, ErrorCode, FetchOptions, Oid, ProxyOptions,
    RemoteCallbacks, Repository,
};
use gitdeploy_core::event::Decision;
use gitdeploy_core::manifest::{self, Origin};
use gitdeploy_core::{Failure, FailureCode, Phase};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use crate::config::Config;
use crate::log::Recorder;
use crate::stop::{Stop, disk};

/// How often a clone is tried when the network fails, and the pause between two tries.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// How long a server may take to accept a connection and to send its next bytes, in milliseconds.
const CONNECT_TIMEOUT: i32 = 15_000;
const SERVER_TIMEOUT: i32 = 60_000;

/// Bounds the waiting for git servers, which libgit2 leaves unbounded. To be called before any thread is started.
pub(crate) fn set_timeouts() {
    // SAFETY: both write a global of libgit2 without synchronization, which is sound as long as no other
    // thread runs; `process` calls this before it starts the runtime.
    #[expect(unsafe_code, reason = "git2 has no safe way to set these")]
    let set = unsafe {
        git2::opts::set_server_connect_timeout_in_milliseconds(CONNECT_TIMEOUT)
            .and_then(|()| git2::opts::set_server_timeout_in_milliseconds(SERVER_TIMEOUT))
    };
    if let Err(error) = set {
        tracing::warn!(%error, "waiting for git servers is not bounded");
    }
}

/// Clones `reference`, or the default branch, into the empty directory `target`.
pub(crate) async fn clone(
    address: Address,
    reference: Option<&str>,
    target: &Path,
    config: &Config,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<Origin, Stop> {
    let shown = address.shown.clone();
    recorder.say(Phase::Clone, format!("cloning {shown}"));
    let clone = Clone {
        reference: reference.map(str::to_owned),
        // libgit2 would give the login to whoever the redirect leads to.
        follow_redirects: config.allow_private_addresses && address.login.is_none(),
        bytes: config.clone_bytes,
        deadline: Instant::now() + config.clone_limit(),
        recorder: recorder.clone(),
        cancel: cancel.clone(),
        address,
    };
    let target = target.to_owned();
    // libgit2 blocks, at worst until its own timeout; the build does not wait for it.
    let cloned = tokio::task::spawn_blocking(move || clone.with_tries(&target));
    let checked_out = tokio::select! {
        done = cloned => done.map_err(|error| disk("the clone did not end")(error.into()))??,
        () = cancel.cancelled() => return Err(Stop::canceled()),
        () = tokio::time::sleep(config.clone_limit()) => return Err(too_slow()),
    };
    recorder.plan(checked_out.decisions());
    if checked_out.has_submodules {
        recorder.notice("the repository has submodules, which are not fetched");
    }
    Ok(Origin {
        repository: Some(shown),
        reference: checked_out.reference,
        commit: Some(checked_out.commit),
        message: checked_out.message,
    })
}

struct Clone {
    address: Address,
    reference: Option<String>,
    /// Whether a redirect to another host is followed: it leads where nobody has looked.
    follow_redirects: bool,
    bytes: u64,
    deadline: Instant,
    recorder: Recorder,
    cancel: CancellationToken,
}

struct CheckedOut {
    reference: Option<String>,
    commit: String,
    message: Option<String>,
    has_submodules: bool,
}

/// What is to be fetched.
#[derive(Debug)]
struct Wanted {
    refspec: String,
    /// The commit that the reference stands at now.
    commit: Oid,
    /// The branch or tag, as people call it.
    name: Option<String>,
}

/// Where the fetched commits are kept; without a name they would be no part of the repository.
const FETCHED: &str = "refs/gitdeploy";

/// Why a try failed: in a way that libgit2 tells, or for good.
enum Problem {
    Git(git2::Error),
    Stop(Stop),
}

impl Clone {
    fn with_tries(&self, target: &Path) -> Result<CheckedOut, Stop> {
        let mut tries = 1;
        loop {
            match self.run(target) {
                Ok(checked_out) => return Ok(checked_out),
                Err(Problem::Stop(stop)) => return Err(stop),
                Err(Problem::Git(error)) if tries < TRIES && self.may_try_again(&error) => {
                    let text = format!("the connection failed ({}); trying again", error.message());
                    self.recorder.say(Phase::Clone, text);
                    std::thread::sleep(PAUSE * tries);
                    tries += 1;
                }
                Err(Problem::Git(error)) => return Err(self.explain(&error)),
            }
        }
    }

    fn run(&self, target: &Path) -> Result<CheckedOut, Problem> {
        let repository = Repository::init(target)?;
        repository.config()?.set_bool("http.followRedirects", self.follow_redirects)?;
        let mut remote = repository.remote_anonymous(&self.address.shown)?;
        let mut connection = remote.connect_auth(Direction::Fetch, Some(self.callbacks()), Some(proxy()))?;
        let wanted = self.choose(&connection)?;
        if let Err(error) = self.fetch(connection.remote(), &wanted.refspec, 1) {
            if !self.is_commit() {
                return Err(error.into());
            }
            // Many servers hand out no commit that is not the tip of a branch.
            self.recorder.say(Phase::Clone, "looking for the commit in all branches");
            self.fetch(connection.remote(), &format!("+refs/heads/*:{FETCHED}/heads/*"), 0)?;
        }
        drop(connection);
        let commit = repository
            .find_object(wanted.commit, None)
            .and_then(|object| object.peel_to_commit())
            .map_err(|_| self.no_such_reference())?;
        let mut checkout = CheckoutBuilder::new();
        repository.checkout_tree(commit.as_object(), Some(checkout.force()))?;
        repository.set_head_detached(commit.id())?;
        Ok(CheckedOut {
            reference: wanted.name,
            commit: commit.id().to_string(),
            message: commit.summary().ok().flatten().map(manifest::summary),
            has_submodules: target.join(".gitmodules").exists(),
        })
    }

    /// Finds the reference among those that the server has.
    fn choose(&self, connection: &git2::RemoteConnection<'_, '_, '_>) -> Result<Wanted, Problem> {
        let heads = connection.list()?;
        if heads.is_empty() {
            let failure = Failure::new(FailureCode::CloneEmpty, "the repository has no commit");
            return Err(Problem::Stop(Stop::author(failure.fix("push a commit, then deploy again"))));
        }
        let find = |full: &str| heads.iter().find(|head| head.name() == full);
        let wanted = |head: &git2::RemoteHead<'_>, name: &str| Wanted {
            refspec: format!("+{}:{FETCHED}/fetched", head.name()),
            commit: head.oid(),
            name: Some(name.to_owned()),
        };
        let Some(reference) = &self.reference else {
            let target = find("HEAD").and_then(|head| head.symref_target()).and_then(find);
            return match (target, find("HEAD")) {
                (Some(branch), _) => Ok(wanted(branch, short(branch.name()))),
                (None, Some(head)) => Ok(Wanted { name: None, ..wanted(head, "") }),
                (None, None) => Err(Self::no_default_branch()),
            };
        };
        for full in [format!("refs/heads/{reference}"), format!("refs/tags/{reference}"), reference.clone()] {
            if full.starts_with("refs/")
                && let Some(head) = find(&full)
            {
                return Ok(wanted(head, short(&full)));
            }
        }
        let commit = Oid::from_str(reference).ok().filter(|_| self.is_commit());
        let commit = commit.ok_or_else(|| self.no_such_reference())?;
        Ok(match heads.iter().find(|head| head.oid() == commit) {
            Some(head) => wanted(head, short(head.name())),
            None => Wanted { refspec: format!("+{commit}:{FETCHED}/fetched"), commit, name: None },
        })
    }

    fn fetch(&self, remote: &mut git2::Remote<'_>, refspec: &str, depth: i32) -> Result<(), git2::Error> {
        let mut options = FetchOptions::new();
        options.remote_callbacks(self.callbacks()).proxy_options(proxy());
        options.download_tags(AutotagOption::None).update_fetchhead(false);
        if depth > 0 {
            options.depth(depth);
        }
        remote.fetch(&[refspec], Some(&mut options), None)
    }

    fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        let mut asked = false;
        callbacks.credentials(move |_, user, allowed| match &self.address.login {
            // A server that asks again has refused what it got.
            Some(login) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) && !asked => {
                asked = true;
                Cred::userpass_plaintext(&login.user, login.password.expose_secret())
            }
            _ if allowed.contains(CredentialType::USERNAME) => Cred::username(user.unwrap_or("git")),
            _ => Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, "a login is needed")),
        });
        let mut shown = Instant::now();
        callbacks.transfer_progress(move |progress| {
            if shown.elapsed() >= PROGRESS && !self.cancel.is_cancelled() {
                shown = Instant::now();
                let (done, total) = (progress.received_objects() as u64, progress.total_objects() as u64);
                self.recorder.progress(Phase::Clone, done, Some(total), "objects");
            }
            self.may_go_on(progress.received_bytes() as u64)
        });
        callbacks
    }

    fn may_go_on(&self, received: u64) -> bool {
        received <= self.bytes && Instant::now() < self.deadline && !self.cancel.is_cancelled()
    }

    /// Whether the reference is written as a commit id.
    fn is_commit(&self) -> bool {
        let reference = self.reference.as_deref().unwrap_or_default();
        reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    fn may_try_again(&self, error: &git2::Error) -> bool {
        let network = matches!(error.class(), ErrorClass::Net | ErrorClass::Os | ErrorClass::Ssl);
        let for_good = matches!(
            error.code(),
            ErrorCode::Auth | ErrorCode::NotFound | ErrorCode::User | ErrorCode::Certificate
        );
        let refused = error.message().contains("redirect");
        network && !for_good && !refused && !self.cancel.is_cancelled() && Instant::now() < self.deadline
    }

    fn no_default_branch() -> Problem {
        let cause = "the repository has no default branch";
        let fix = "name a branch with `--ref`";
        Problem::Stop(Stop::author(Failure::new(FailureCode::CloneReference, cause).fix(fix)))
    }

    fn no_such_reference(&self) -> Problem {
        let reference = self.reference.as_deref().unwrap_or("HEAD");
        let cause = format!("the repository has no branch, tag or commit `{reference}`");
        let fix = "check the spelling, and that it was pushed";
        Problem::Stop(Stop::author(Failure::new(FailureCode::CloneReference, cause).fix(fix)))
    }

    /// One sentence for what libgit2 says in many ways.
    fn explain(&self, error: &git2::Error) -> Stop {
        if self.cancel.is_cancelled() {
            return Stop::canceled();
        }
        if Instant::now() >= self.deadline {
            return too_slow();
        }
        let shown = &self.address.shown;
        let says = error.message();
        let failure = |code, cause: String, fix: &str| Stop::author(Failure::new(code, cause).fix(fix));
        match error.code() {
            ErrorCode::User => failure(
                FailureCode::CloneTooLarge,
                format!("the repository is larger than {} MiB", self.bytes >> 20),
                "remove what the site does not need, or have the operator raise `GITDEPLOY_BUILD_CLONE_BYTES`",
            ),
            ErrorCode::Auth => failure(
                FailureCode::CloneAuth,
                format!("`{shown}` does not exist or needs a login"),
                "check the address; a private repository needs a login that may read it",
            ),
            ErrorCode::NotFound => self.not_found(),
            _ if says.contains("status code: 404") => self.not_found(),
            _ if says.contains("status code: 401") || says.contains("status code: 403") => failure(
                FailureCode::CloneAuth,
                format!("`{shown}` does not exist or the login was refused"),
                "check the address and the login",
            ),
            _ if says.contains("redirect") => failure(
                FailureCode::CloneAddress,
                format!("`{shown}` leads to another address, which is not followed"),
                "give the address that the repository has now",
            ),
            _ => {
                let cause = format!("`{shown}` cannot be cloned: {says}");
                Stop::platform(FailureCode::CloneUnreachable, cause)
            }
        }
    }

    fn not_found(&self) -> Stop {
        let cause = format!("there is no repository at `{}`", self.address.shown);
        let fix = "check the address; a private repository looks like this without a login";
        Stop::author(Failure::new(FailureCode::CloneNotFound, cause).fix(fix))
    }
}

impl CheckedOut {
    fn decisions(&self) -> Vec<Decision> {
        let because = match &self.reference {
            Some(reference) => format!("the tip of `{reference}`"),
            None => "the commit that was asked for".to_owned(),
        };
        let decision = |name: &str, value: &str, because: &str| Decision {
            name: name.to_owned(),
            value: value.to_owned(),
            because: because.to_owned(),
            file: None,
        };
        let mut decisions = vec![decision("commit", &self.commit, &because)];
        if let Some(reference) = &self.reference {
            decisions.push(decision("reference", reference, "what the commit was found by"));
        }
        if let Some(message) = &self.message {
            decisions.push(decision("message", message, "what the commit says"));
        }
        decisions
    }
}

impl From<git2::Error> for Problem {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

/// The operator's proxy, if there is one.
fn proxy() -> ProxyOptions<'static> {
    let mut proxy = ProxyOptions::new();
    proxy.auto();
    proxy
}

fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").or(reference.strip_prefix("refs/tags/")).unwrap_or(reference)
}

fn too_slow() -> Stop {
    let failure = Failure::new(FailureCode::CloneTimeout, "the clone took longer than its limit");
    Stop::timed_out(failure.fix("try again, or have the operator raise `GITDEPLOY_BUILD_CLONE_SECONDS`"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gitdeploy_bus::EventBus;
    use gitdeploy_core::Attempt;

    use super::*;
    use crate::log::Outlet;

    /// A server that answers every request with `answer`, and how many requests came.
    fn server(answer: String) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 4096];
                let _read = stream.read(&mut head).unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (url, requests)
    }

    async fn run(follow_redirects: bool) -> (Stop, usize) {
        let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (inside, visits) = server(gone.to_owned());
        let inside = inside.replace("127.0.0.1", "localhost");
        let location = format!("{inside}/r/info/refs?service=git-upload-pack");
        let moved = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation:";
        let (outside, _) = server(format!("{moved} {location}\r\n\r\n"));
        let cancel = CancellationToken::new();
        let outlet = Outlet::Bus(EventBus::memory());
        let id = "site".parse().unwrap();
        let clone = Clone {
            address: Address::parse(&format!("{outside}/r")).unwrap(),
            reference: None,
            follow_redirects,
            bytes: 1 << 20,
            deadline: Instant::now() + Duration::from_mins(1),
            recorder: Recorder::start(id, Attempt::FIRST, outlet, cancel.clone()).unwrap(),
            cancel,
        };
        let target = tempfile::tempdir().unwrap();
        let stop = tokio::task::spawn_blocking(move || clone.with_tries(target.path()).err().unwrap());
        (stop.await.unwrap(), visits.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_redirect_to_another_host_is_followed_only_where_every_address_is_allowed() {
        let (stop, visits) = run(false).await;
        assert_eq!((stop.failure.code, visits), (FailureCode::CloneAddress, 0), "{}", stop.failure);
        let (stop, visits) = run(true).await;
        assert_eq!((stop.failure.code, visits), (FailureCode::CloneNotFound, 1), "{}", stop.failure);
    }
}
