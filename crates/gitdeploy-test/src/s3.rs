//! An S3 server that speaks the real protocol on loopback, keeps its objects in memory, decides conditional
//! writes atomically, and fails on demand.

mod backend;
mod call;
mod connections;
mod fault;
mod keys;
mod listing;
mod objects;
mod operation;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use call::Call;
pub use fault::Fault;
pub use keys::{Authority, Keys};
pub use operation::Operation;

use fault::Faults;
pub(crate) use keys::KeyRing;
use keys::Ringed;
use objects::{Objects, Stored};

const BUCKET: &str = "sites";
const REGION: &str = "us-east-1";
const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Mutex<Option<Serving>>,
}

/// What takes connections, and a second hold on its port.
#[derive(Debug)]
struct Serving {
    task: JoinHandle<()>,
    port: std::net::TcpListener,
}

/// What all connections share.
struct Shared {
    objects: Arc<Mutex<Objects>>,
    faults: Mutex<Faults>,
    calls: Mutex<Vec<Call>>,
    ring: Arc<KeyRing>,
    service: S3Service,
}

impl S3Server {
    /// A server on a free port of loopback, with one empty bucket.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(0).await
    }

    /// A server on that port of loopback, with one empty bucket.
    pub async fn start_on(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await?;
        let objects = Arc::new(Mutex::new(Objects::with_bucket(BUCKET)));
        let ring = Arc::new(KeyRing::default());
        let backend = backend::Backend::new(Arc::clone(&objects), Arc::clone(&ring));
        let mut service = S3ServiceBuilder::new(backend);
        service.set_auth(Ringed(Arc::clone(&ring)));
        service.set_access(Ringed(Arc::clone(&ring)));
        let (faults, calls) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { objects, faults, calls, ring, service: service.build() });
        let server = Self { address: listener.local_addr()?, shared, serving: Mutex::new(None) };
        server.serve(listener)?;
        Ok(server)
    }

    /// The URL of the server.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bucket.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The variables that select this server: ours and those of the AWS SDK.
    pub fn vars(&self) -> Vec<(String, String)> {
        [
            ("GITDEPLOY_STORE_BUCKET", BUCKET),
            ("GITDEPLOY_STORE_PATH_STYLE", "true"),
            ("AWS_ENDPOINT_URL_S3", &self.endpoint()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The content of an object.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.stored(key).map(|stored| stored.bytes)
    }

    /// The media type of an object.
    pub fn content_type(&self, key: &str) -> Option<String> {
        self.stored(key)?.content_type
    }

    /// The keys of all objects, in order.
    pub fn keys(&self) -> Vec<String> {
        self.with(|objects| objects.bucket(BUCKET).map(|bucket| bucket.keys().cloned().collect()))
            .unwrap_or_default()
    }

    /// Puts an object there, without a request.
    pub fn insert(&self, key: &str, bytes: impl Into<Bytes>, content_type: Option<&str>) {
        let stored = Stored::new(bytes.into(), content_type.map(str::to_owned));
        self.with(|objects| objects.bucket_mut(BUCKET).map(|bucket| bucket.insert(key.to_owned(), stored)));
    }

    /// Removes an object, without a request.
    pub fn remove(&self, key: &str) {
        self.with(|objects| objects.bucket_mut(BUCKET).and_then(|bucket| bucket.remove(key)));
    }

    /// Lets further keys in, as far as their authority reaches. Those of [`S3Server::vars`] may do everything.
    pub fn admit(&self, keys: Keys, authority: Authority) {
        self.shared.ring.admit(keys, authority);
    }

    /// Whether writes are done whatever their `If-Match` and `If-None-Match` say, as some other stores do.
    pub fn ignore_conditions(&self, ignore: bool) {
        self.with(|objects| objects.ignores_conditions = ignore);
    }

    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.shared.ring)
    }

    /// How many multipart uploads are neither complete nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.with(|objects| objects.uploads.len())
    }

    /// How many requests of a kind came in since the start or [`S3Server::forget_requests`]. Those that a
    /// fault met count too.
    pub fn requests(&self, operation: Operation) -> usize {
        self.faults(|faults| faults.seen(operation))
    }

    /// All requests since the start or [`S3Server::forget_requests`], in the order in which they ended.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().expect("no panic while locked").clone()
    }

    /// Counts requests from 0 again.
    pub fn forget_requests(&self) {
        self.faults(Faults::forget);
        self.shared.calls.lock().expect("no panic while locked").clear();
    }

    /// Makes the next `times` requests of a kind fail; `usize::MAX`: until [`S3Server::clear_faults`].
    /// Faults of a kind are used up in the order in which they were asked for.
    pub fn fail(&self, operation: Operation, fault: Fault, times: usize) {
        self.faults(|faults| faults.add(operation, fault, times));
    }

    /// All is well again.
    pub fn clear_faults(&self) {
        self.faults(Faults::clear);
    }

    /// Cuts all connections and refuses new ones.
    pub async fn stop(&self) {
        let serving = self.serving.lock().expect("no panic while locked").take();
        if let Some(Serving { task, .. }) = serving {
            task.abort();
            // Only then is the port closed.
            drop(task.await);
        }
    }

    /// Cuts all connections, and with them what is on its way, and goes on with the same port.
    pub async fn cut(&self) -> std::io::Result<()> {
        let serving = self.serving.lock().expect("no panic while locked").take();
        let Some(Serving { task, port }) = serving else { return Ok(()) };
        task.abort();
        drop(task.await);
        self.serve(TcpListener::from_std(port)?)
    }

    /// Listens again, on the same port and with the same objects.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.stop().await;
        Ok(self.serve(TcpListener::bind(self.address).await?)?)
    }

    fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        let listener = listener.into_std()?;
        let port = listener.try_clone()?;
        let accepting = connections::accept(TcpListener::from_std(listener)?, Arc::clone(&self.shared));
        let task = tokio::spawn(accepting);
        *self.serving.lock().expect("no panic while locked") = Some(Serving { task, port });
        Ok(())
    }

    fn stored(&self, key: &str) -> Option<Stored> {
        self.with(|objects| objects.bucket(BUCKET)?.get(key).cloned())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Objects) -> T) -> T {
        work(&mut self.shared.objects.lock().expect("no panic while locked"))
    }

    fn faults<T>(&self, work: impl FnOnce(&mut Faults) -> T) -> T {
        work(&mut self.shared.faults.lock().expect("no panic while locked"))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(Serving { task, .. }) = self.serving.lock().expect("no panic while locked").take() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("faults", &self.faults).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
