//! Submodules: fetched like the repository itself, by the same rules and within the same budget.

use std::path::Path;

use gitdeploy_core::{FailureCode, Phase};

use super::address::Address;
use super::checkout::{CheckedOut, checkout};
use super::gitmodules::{self, Module};
use super::lfs;
use super::problem::of_part;
use super::reference::Wanted;
use super::rules::refused;
use super::session::Session;
use super::upstream::Upstream;
use crate::stop::Stop;

/// How deep submodules may lie in each other, and how many there may be.
const DEEPEST: usize = 8;
const MOST: usize = 200;

/// Fetches the submodules of a commit, and theirs.
pub(super) struct Submodules<'a> {
    session: &'a Session,
    fetched: usize,
}

/// A work tree whose submodules are missing.
struct Parent<'a> {
    address: &'a Address,
    root: &'a Path,
    /// Where it lies from the root of all, to be shown.
    place: String,
    depth: usize,
}

impl<'a> Submodules<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Self { session, fetched: 0 }
    }

    pub(super) fn fetch(&mut self, address: &Address, root: &Path, of: &CheckedOut) -> Result<(), Stop> {
        self.fetch_below(&Parent { address, root, place: String::new(), depth: 0 }, of)
    }

    fn fetch_below(&mut self, parent: &Parent<'_>, of: &CheckedOut) -> Result<(), Stop> {
        let modules = of.modules.as_deref().unwrap_or_default();
        let modules = gitmodules::parse(&String::from_utf8_lossy(modules));
        for entry in &of.submodules {
            let path = entry.path();
            let shown = format!("{}{}", parent.place, path.display());
            let Some(module) = modules.iter().find(|module| Path::new(&module.path) == path) else {
                let recorder = &self.session.recorder;
                recorder.notice(format!(
                    "the submodule `{shown}` stays empty: `.gitmodules` does not say where it is"
                ));
                continue;
            };
            if module.skipped {
                continue;
            }
            let commit = Wanted::Commit(entry.id);
            self.fetch_one(parent, module, &commit, &shown).map_err(|stop| {
                of_part(stop, FailureCode::CloneSubmodule, &format!("the submodule `{shown}`"))
            })?;
        }
        Ok(())
    }

    fn fetch_one(
        &mut self,
        parent: &Parent<'_>,
        module: &Module,
        commit: &Wanted,
        shown: &str,
    ) -> Result<(), Stop> {
        if parent.depth == DEEPEST || self.fetched == MOST {
            let cause = format!(
                "there are more than {MOST} submodules, or they lie in each other more than {DEEPEST} deep"
            );
            return Err(refused(cause, "remove those that the site does not need"));
        }
        self.fetched += 1;
        let session = self.session;
        let address = self.reachable(resolve(parent.address, &module.url)?, parent.address);
        session
            .recorder
            .say(Phase::Clone, format!("fetching the submodule `{shown}` from {}", address.shown));
        let root = parent.root.join(&module.path);
        let upstream = Upstream::new(session, &address)?;
        let (repository, tip) = upstream.fetch(commit, &root)?;
        let checked_out = checkout(&repository, tip.commit, &session.web.budget)?;
        lfs::fetch(session, &address, &repository, &checked_out.pointers)?;
        let place = format!("{shown}/");
        self.fetch_below(
            &Parent { address: &address, root: &root, place, depth: parent.depth + 1 },
            &checked_out,
        )
    }

    /// A submodule on the parent's own server, which is named by SSH as its author fetches it, is fetched as the
    /// parent was, if that is over HTTPS and we have no key.
    fn reachable(&self, address: Address, parent: &Address) -> Address {
        let same_host = address.host.eq_ignore_ascii_case(&parent.host) && address.port == 22;
        if address.scheme != "ssh"
            || parent.scheme != "https"
            || !same_host
            || self.session.credentials.key(&address).is_some()
        {
            return address;
        }
        let path = address.shown.splitn(4, '/').nth(3).unwrap_or_default();
        Address::parse(&format!("https://{}:{}/{path}", parent.host, parent.port)).unwrap_or(address)
    }
}

/// The address of a submodule, which may be relative to that of its parent.
fn resolve(parent: &Address, url: &str) -> Result<Address, Stop> {
    if url.is_empty() {
        return Err(refused("`.gitmodules` does not say where it is", "add its `url` to `.gitmodules`"));
    }
    if !url.starts_with("./") && !url.starts_with("../") {
        return Address::parse(url);
    }
    let (start, path) = parent.shown.split_once("://").unwrap_or_default();
    let (server, path) = path.split_once('/').unwrap_or((path, ""));
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for part in url.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part != ".." {
            parts.push(part);
        } else if parts.pop().is_none() {
            let cause = format!("its address `{url}` leads above the server of the repository");
            return Err(refused(cause, "mend its `url` in `.gitmodules`"));
        }
    }
    let mut address = Address::parse(&format!("{start}://{server}/{}", parts.join("/")))?;
    // It is on the same server, so what is for that is for it.
    address.login.clone_from(&parent.login);
    Ok(address)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gitdeploy_bus::EventBus;
    use gitdeploy_core::Attempt;
    use tokio::runtime::Handle;
    use tokio_util::sync::CancellationToken;

    use super::super::budget::Budget;
    use super::super::rules::Rules;
    use super::super::tree::{Entry, Kind};
    use super::super::web::Web;
    use super::*;
    use crate::config::Config;
    use crate::log::{Outlet, Recorder};

    /// Fetches a submodule of a repository that is elsewhere, as a builder does on a server.
    async fn fetch(url: &str) -> Stop {
        let (config, cancel) = (Config::default(), CancellationToken::new());
        let budget = Arc::new(Budget::new(&config, &cancel));
        let outlet = Outlet::Bus(EventBus::memory());
        let session = Session {
            web: Web::new(Handle::current(), Rules::of(&config), budget),
            credentials: Arc::default(),
            recorder: Recorder::start("site".parse().unwrap(), Attempt::FIRST, outlet, cancel).unwrap(),
        };
        let entry = Entry { path: b"theme".to_vec(), id: git2::Oid::ZERO_SHA1, kind: Kind::Commit };
        let modules = format!("[submodule \"theme\"]\npath = theme\nurl = {url}\n").into_bytes();
        let of = CheckedOut { modules: Some(modules), submodules: vec![entry], pointers: Vec::new() };
        let fetch = move || {
            let parent = Address::parse("https://host.example/o/r").unwrap();
            let target = tempfile::tempdir().unwrap();
            Submodules::new(&session).fetch(&parent, target.path(), &of).unwrap_err()
        };
        tokio::task::spawn_blocking(fetch).await.unwrap()
    }

    #[tokio::test]
    async fn a_submodule_at_a_private_address_is_refused() {
        for url in [
            "https://127.0.0.1/r",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/r",
            "ssh://git@localhost/r",
            "git@127.0.0.1:r",
        ] {
            let failure = fetch(url).await.failure;
            assert_eq!(failure.code, FailureCode::CloneSubmodule, "{url}: {failure}");
            assert!(
                failure.cause.contains("`theme`") && failure.cause.contains("private network"),
                "{failure}"
            );
        }
        for url in ["http://host.example/r", "git://host.example/r", "file:///etc"] {
            assert_eq!(fetch(url).await.failure.code, FailureCode::CloneSubmodule, "{url}");
        }
    }

    #[test]
    fn relative_addresses_stay_on_the_server() {
        let parent = Address::parse("https://me:pw@host.example:8443/o/r.git").unwrap();
        let check = |url: &str, expected: Option<&str>| {
            let resolved = resolve(&parent, url).ok();
            assert_eq!(resolved.as_ref().map(|address| address.shown.as_str()), expected, "{url}");
            resolved
        };
        let near = check("../s.git", Some("https://host.example:8443/o/s.git")).unwrap();
        assert!(near.login.is_some());
        check("./s.git", Some("https://host.example:8443/o/r.git/s.git"));
        check("../../p/s.git", Some("https://host.example:8443/p/s.git"));
        check("../../../s.git", None);
        check("/etc", None);
        check("file:///etc", None);
        check("", None);
        let far = check("https://elsewhere.example/s", Some("https://elsewhere.example/s")).unwrap();
        assert!(far.login.is_none());
    }
}
