//! The smart HTTP protocol of git below libgit2, in place of libgit2's own: what is connected to is what was looked
//! at, a login goes to one server only, and redirects are followed by the same rules.

use std::cell::RefCell;
use std::io::{Error, Read, Result as IoResult, Write};
use std::sync::{Arc, Mutex, Once};

use bytes::{Buf as _, Bytes};
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, StatusCode};
use secrecy::ExposeSecret as _;
use url::Url;

use super::address::{Address, Login};
use super::problem::{self, Problem};
use super::rules::refused;
use super::web::Web;

/// How often the way to a repository may be redirected.
const REDIRECTS: usize = 5;

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

/// The way to one repository.
#[derive(Debug)]
pub(super) struct Link {
    web: Web,
    /// What was asked for. The login is for its server.
    address: Address,
    login: Option<Login>,
    way: Mutex<Option<Way>>,
    problem: Mutex<Option<Problem>>,
}

/// The way as it was found.
#[derive(Debug, Clone)]
struct Way {
    client: Client,
    /// Where the repository is, after redirects.
    base: Url,
    /// Whether the server wants the login.
    with_login: bool,
}

thread_local! {
    /// The link that the transports use that libgit2 makes in this thread.
    static LINK: RefCell<Option<Arc<Link>>> = const { RefCell::new(None) };
}

/// Makes libgit2 talk HTTP through us. To be called before it makes its first transport.
pub(super) fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // The ids of all objects are computed while a pack is received; once is enough.
        git2::opts::strict_hash_verification(false);
        for scheme in ["http", "https"] {
            // SAFETY: this must not run while libgit2 makes a transport. It makes them in clones only, each of
            // which has waited for this.
            #[expect(unsafe_code, reason = "git2 has no safe way to add a transport")]
            let registered = unsafe {
                git2::transport::register(scheme, |remote| {
                    let link = LINK.with_borrow(Clone::clone);
                    let link = link.ok_or_else(|| git2::Error::from_str("no link was made"))?;
                    Transport::smart(remote, true, Subtransport(link))
                })
            };
            if let Err(error) = registered {
                tracing::warn!(%error, "libgit2 talks {scheme} by itself");
            }
        }
    });
}

impl Link {
    pub(super) fn new(web: Web, address: Address, login: Option<Login>) -> Arc<Self> {
        Arc::new(Self { web, address, login, way: Mutex::default(), problem: Mutex::default() })
    }

    /// Runs what makes libgit2 use this link.
    pub(super) fn within<T>(self: &Arc<Self>, run: impl FnOnce() -> T) -> T {
        let before = LINK.replace(Some(self.clone()));
        let result = run();
        LINK.set(before);
        result
    }

    /// What went wrong here, which libgit2 tells only in part.
    pub(super) fn take_problem(&self) -> Option<Problem> {
        self.problem.lock().expect("no panic while locked").take()
    }

    /// Asks for the references, and finds the way by it.
    fn references(&self) -> Result<Response, Problem> {
        self.references_from(self.web.client(&self.address)?)
    }

    fn references_from(&self, mut client: Client) -> Result<Response, Problem> {
        let mut place = self.address.clone();
        let mut with_login = false;
        for _ in 0..=REDIRECTS {
            let url = format!("{}/info/refs?service=git-upload-pack", place.shown.trim_end_matches('/'));
            let request = self.prepare(client.get(&url).header(ACCEPT, "*/*"), with_login);
            let response = self.web.send(request)?;
            let status = response.status();
            let own = place.is_of_server(&self.address);
            if status.is_redirection() {
                let next = self.redirect(&response)?;
                if !next.is_of_server(&place) {
                    client = self.web.client(&next)?;
                    // The login is for the server that was asked for.
                    with_login = false;
                }
                place = next;
            } else if status == StatusCode::UNAUTHORIZED && own && self.login.is_some() && !with_login {
                with_login = true;
            } else {
                self.check(&response, ADVERTISEMENT, with_login)?;
                let base = Url::parse(&place.shown).map_err(|_| self.moved())?;
                *self.way.lock().expect("no panic while locked") = Some(Way { client, base, with_login });
                return Ok(response);
            }
        }
        Err(self.moved())
    }

    fn exchange(&self, request: Vec<u8>) -> Result<Response, Problem> {
        let way = self.way.lock().expect("no panic while locked").clone();
        let way = way.ok_or_else(|| Problem::Network("the references were not asked for".to_owned()))?;
        let url = format!("{}/git-upload-pack", way.base.as_str().trim_end_matches('/'));
        let post = way.client.post(url).header(CONTENT_TYPE, REQUEST).header(ACCEPT, RESULT).body(request);
        let response = self.web.send(self.prepare(post, way.with_login))?;
        if response.status().is_redirection() {
            return Err(self.moved());
        }
        self.check(&response, RESULT, way.with_login)?;
        Ok(response)
    }

    fn prepare(&self, request: reqwest::RequestBuilder, with_login: bool) -> reqwest::RequestBuilder {
        match &self.login {
            Some(login) if with_login => {
                request.basic_auth(&login.user, Some(login.password.expose_secret()))
            }
            _ => request,
        }
    }

    /// Where a redirect leads, as the address of a repository.
    fn redirect(&self, response: &Response) -> Result<Address, Problem> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let next =
            location.and_then(|location| response.url().join(location).ok()).ok_or_else(|| self.moved())?;
        let base = next.as_str().split_once("/info/refs").ok_or_else(|| self.moved())?.0;
        let mut next = Address::parse(base)?;
        // Nobody but the author and the operator say who we are.
        next.login = None;
        if !next.is_http() || (self.address.scheme == "https" && next.scheme == "http") {
            return Err(self.moved());
        }
        Ok(next)
    }

    fn check(&self, response: &Response, expected: &str, with_login: bool) -> Result<(), Problem> {
        if response.status() != StatusCode::OK {
            return Err(problem::status(response.status(), &self.address.shown, with_login));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if kind.and_then(|kind| kind.split(';').next()).is_some_and(|kind| kind.trim() == expected) {
            return Ok(());
        }
        let cause = format!("`{}` is no git repository, but some other page", self.address.shown);
        Err(refused(cause, "give the address that `git clone` takes").into())
    }

    fn moved(&self) -> Problem {
        let cause = format!("`{}` leads to another address, which is not followed", self.address.shown);
        refused(cause, "give the address that the repository has now").into()
    }

    /// Keeps what went wrong, and says something of it to libgit2.
    fn keep(&self, problem: Problem) -> Error {
        let error = Error::other(problem.text());
        *self.problem.lock().expect("no panic while locked") = Some(problem);
        error
    }
}

struct Subtransport(Arc<Link>);

impl SmartSubtransport for Subtransport {
    fn action(&self, _url: &str, action: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let asked = match action {
            Service::UploadPackLs => Asked::References,
            Service::UploadPack => Asked::Pack(Vec::new()),
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(git2::Error::from_str("nothing is pushed"));
            }
        };
        Ok(Box::new(Stream { link: self.0.clone(), asked, response: None, chunk: Bytes::new() }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

enum Asked {
    References,
    Pack(Vec<u8>),
}

/// One request and its answer.
struct Stream {
    link: Arc<Link>,
    asked: Asked,
    response: Option<Response>,
    chunk: Bytes,
}

impl Stream {
    fn fill(&mut self) -> Result<(), Problem> {
        let mut response = match self.response.take() {
            Some(response) => response,
            None => match &mut self.asked {
                Asked::References => self.link.references()?,
                Asked::Pack(request) => self.link.exchange(std::mem::take(request))?,
            },
        };
        while self.chunk.is_empty()
            && let Some(chunk) = self.link.web.next(&mut response)?
        {
            self.link.web.budget.receive(chunk.len() as u64)?;
            self.chunk = chunk;
        }
        self.response = Some(response);
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        if self.chunk.is_empty() {
            self.fill().map_err(|problem| self.link.keep(problem))?;
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        match &mut self.asked {
            Asked::References => return Err(Error::other("the references are only read")),
            Asked::Pack(request) => request.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gitdeploy_core::FailureCode;
    use tokio::runtime::Handle;
    use tokio_util::sync::CancellationToken;

    use super::super::budget::Budget;
    use super::super::rules::Rules;
    use super::*;
    use crate::config::Config;
    use crate::stop::Stop;

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

    /// Asks a server that redirects to another, from where only public addresses are allowed or all of them.
    async fn run(private: bool) -> (Stop, usize) {
        let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (inside, visits) = server(gone.to_owned());
        let location = format!("{inside}/r/info/refs?service=git-upload-pack");
        let moved = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation:";
        let (outside, _) = server(format!("{moved} {location}\r\n\r\n"));
        let budget = Arc::new(Budget::new(&Config::default(), &CancellationToken::new()));
        let rules = Rules { schemes: vec!["http".to_owned()], private };
        let stop = tokio::task::spawn_blocking(move || {
            let address = Address::parse(&format!("{outside}/r")).unwrap();
            let web = Web::new(Handle::current(), rules, budget);
            let client = Web::new(
                Handle::current(),
                Rules { schemes: vec!["http".to_owned()], private: true },
                web.budget.clone(),
            );
            let client = client.client(&address).unwrap();
            let link = Link::new(web, address, None);
            link.references_from(client).unwrap_err().into_stop("r")
        });
        (stop.await.unwrap(), visits.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_redirect_leads_only_where_the_rules_allow() {
        let (stop, visits) = run(false).await;
        assert_eq!((stop.failure.code, visits), (FailureCode::CloneAddress, 0), "{}", stop.failure);
        let (stop, visits) = run(true).await;
        assert_eq!((stop.failure.code, visits), (FailureCode::CloneNotFound, 1), "{}", stop.failure);
    }
}
