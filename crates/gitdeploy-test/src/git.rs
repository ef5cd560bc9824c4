//! A real smart-HTTP git server: `git http-backend` behind an HTTP server of ours, on a port of its own.

mod cgi;
mod daemon;
mod lfs;
mod repository;
mod ssh;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use daemon::GitDaemon;
pub use lfs::pointer;
pub use repository::Repository;
pub use ssh::SshServer;

pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A server that ends when it is dropped. It has a thread of its own, so that a test may block on a clone.
#[derive(Debug)]
pub struct GitServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stopping: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Holds the bare repositories.
    root: TempDir,
    /// How the names that are not simply served are answered.
    manners: Mutex<HashMap<String, Manner>>,
    /// What is kept in LFS for a name, by its SHA-256.
    objects: Mutex<HashMap<String, lfs::Objects>>,
    /// Each request with its `Authorization`, if it had one.
    requests: Mutex<Vec<(String, Option<String>)>>,
}

#[derive(Debug, Clone)]
enum Manner {
    /// Only with this `Authorization`.
    Login(String),
    /// Never.
    Hang,
    /// With this status.
    Status(StatusCode),
    /// By leading to another address.
    Redirect(String),
}

impl GitServer {
    /// Starts a server without repositories.
    pub async fn start() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let shared = Arc::new(Shared {
            root,
            manners: Mutex::default(),
            objects: Mutex::default(),
            requests: Mutex::default(),
        });
        let stopping = CancellationToken::new();
        let (tell, told) = oneshot::channel();
        let thread = std::thread::spawn({
            let (shared, stopping) = (shared.clone(), stopping.clone());
            move || run(&shared, &stopping, tell)
        });
        let address = told.await.expect("the server starts");
        Self { address, shared, stopping, thread: Some(thread) }
    }

    /// Serves a copy of a repository, in place of what had the name before. The branch `main` is its default.
    pub fn add(&self, name: &str, repository: &Repository) {
        mirror(self.shared.root.path(), name, repository);
    }

    /// Keeps a file in LFS for a repository. [`pointer()`] is what the repository has in its place.
    pub fn add_to_lfs(&self, name: &str, content: &[u8]) {
        self.lfs(name, |objects| objects.add(content));
    }

    /// Says that files of a repository in LFS are at another address, below which their SHA-256 is added.
    pub fn lend_lfs_from(&self, name: &str, base: &str) {
        self.lfs(name, |objects| objects.base = Some(base.to_owned()));
    }

    /// Leads whoever asks for a name to another address.
    pub fn redirect(&self, name: &str, url: &str) {
        self.set(name, Manner::Redirect(url.to_owned()));
    }

    /// The paths of all requests so far, each with its `Authorization`.
    pub fn requests(&self) -> Vec<(String, Option<String>)> {
        self.shared.requests.lock().expect("no panic while locked").clone()
    }

    /// Where the server listens, such as `127.0.0.1:40123`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn lfs(&self, name: &str, change: impl FnOnce(&mut lfs::Objects)) {
        let mut objects = self.shared.objects.lock().expect("no panic while locked");
        change(objects.entry(file_name(name)).or_default());
    }

    /// Lets a client fetch any commit by its id, as large hosts do. Without this, only tips can be fetched.
    pub fn allow_any_commit(&self, name: &str) {
        let bare = self.shared.root.path().join(file_name(name));
        repository::git(&bare, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    }

    /// Answers for a name, whether there is such a repository or not, only with a login, else with 401.
    pub fn require_login(&self, name: &str, user: &str, password: &str) {
        let credentials = base64(format!("{user}:{password}").as_bytes());
        self.set(name, Manner::Login(format!("Basic {credentials}")));
    }

    /// Takes requests for a name and never answers them.
    pub fn hang(&self, name: &str) {
        self.set(name, Manner::Hang);
    }

    /// Answers every request for a name with this status, such as 503.
    pub fn fail(&self, name: &str, status: u16) {
        let status = StatusCode::from_u16(status).expect("the test names a status of HTTP");
        self.set(name, Manner::Status(status));
    }

    /// Serves a name as if nothing had been said about it.
    pub fn behave(&self, name: &str) {
        self.shared.manners.lock().expect("no panic while locked").remove(&file_name(name));
    }

    /// The address to clone from; a name that was never added is answered with 404.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{}", self.address, file_name(name))
    }

    /// An address at which nothing listens.
    pub fn unreachable_url() -> String {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        format!("http://{address}/nothing.git")
    }

    fn set(&self, name: &str, manner: Manner) {
        self.shared.manners.lock().expect("no panic while locked").insert(file_name(name), manner);
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.stopping.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }
}

fn run(shared: &Arc<Shared>, stopping: &CancellationToken, tell: oneshot::Sender<SocketAddr>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        tell.send(listener.local_addr().expect("a listener has an address")).expect("the test waits");
        stopping.run_until_cancelled(serve(&listener, shared)).await;
    });
}

async fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        let service = service_fn(move |request| {
            let shared = shared.clone();
            async move { shared.answer(request).await }
        });
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the git server ended early");
            }
        });
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> std::io::Result<Response<Body>> {
        let path = request.uri().path().to_owned();
        let name = path.split('/').nth(1).unwrap_or_default();
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.requests.lock().expect("no panic while locked").push((path.clone(), authorization));
        let manner = self.manners.lock().expect("no panic while locked").get(name).cloned();
        match manner {
            Some(Manner::Hang) => std::future::pending().await,
            Some(Manner::Status(status)) => return Ok(plain(status)),
            Some(Manner::Login(expected)) if !has_login(request.headers(), &expected) => {
                let mut response = plain(StatusCode::UNAUTHORIZED);
                let challenge = header::HeaderValue::from_static("Basic realm=\"git\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                return Ok(response);
            }
            Some(Manner::Redirect(url)) => {
                let rest = path.strip_prefix(&format!("/{name}")).unwrap_or_default();
                let query = request.uri().query().unwrap_or_default();
                let mut response = plain(StatusCode::MOVED_PERMANENTLY);
                let location = header::HeaderValue::from_str(&format!("{url}{rest}?{query}"));
                response.headers_mut().insert(header::LOCATION, location.expect("the test names an address"));
                return Ok(response);
            }
            Some(Manner::Login(_)) | None => {}
        }
        if path.contains("/info/lfs/") {
            let objects = self.objects.lock().expect("no panic while locked").get(name).cloned();
            return match objects {
                Some(objects) => lfs::answer(&objects, Self::origin(&request), name, request).await,
                None => Ok(plain(StatusCode::NOT_FOUND)),
            };
        }
        let is_known = Path::new(name).extension().is_some_and(|extension| extension == "git")
            && self.root.path().join(name).is_dir();
        if !is_known {
            return Ok(plain(StatusCode::NOT_FOUND));
        }
        cgi::answer(self.root.path(), request).await
    }
}

impl Shared {
    /// Where the client thinks that the server is.
    fn origin(request: &Request<Incoming>) -> String {
        let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
        format!("http://{}", host.unwrap_or_default())
    }
}

/// Makes a bare copy of a repository.
fn mirror(root: &Path, name: &str, repository: &Repository) {
    let bare = root.join(file_name(name));
    if bare.exists() {
        std::fs::remove_dir_all(&bare).expect("our own directory can be removed");
    }
    repository::git(root, &["clone", "--quiet", "--mirror", &repository.path_text(), &file_name(name)]);
    repository::git(&bare, &["symbolic-ref", "HEAD", "refs/heads/main"]);
}

fn has_login(headers: &HeaderMap, expected: &str) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|given| given == expected)
}

fn plain(status: StatusCode) -> Response<Body> {
    let text = Full::new(Bytes::from(format!("{status}\n"))).map_err(|never| match never {});
    let mut response = Response::new(text.boxed_unsync());
    *response.status_mut() = status;
    response
}

fn file_name(name: &str) -> String {
    format!("{name}.git")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |place: usize| usize::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * place) & 63]);
            text.push(if place <= group.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests;
