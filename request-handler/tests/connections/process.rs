//! The proxy as a process of its own, over a directory.

use std::path::Path;

use bytes::Bytes;
use gitdeploy_store::{ObjectStore, StoreConfig};
use gitdeploy_test::binary::{Program, Running};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::server::{SOON, get};
use crate::support;

/// More than the buffers between two sockets hold.
pub(crate) const LARGE: usize = 32 << 20;

/// A proxy that serves.
pub(crate) struct Proxy {
    pub(crate) running: Running,
    pub(crate) address: String,
    pub(crate) admin: String,
}

/// A store with the site `blog`.
pub(crate) async fn site() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { directory: Some(folder.path().to_owned()), ..StoreConfig::default() };
    let store = ObjectStore::open(&config).await.unwrap();
    let files = [("index.html", Bytes::from_static(b"home")), ("large.bin", Bytes::from(vec![1; LARGE]))];
    support::publish(&store, "blog", &files).await;
    folder
}

/// The program with free ports.
pub(crate) fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_request-handler"))
        .var("GITDEPLOY_PROXY_LISTEN", "127.0.0.1:0")
        .var("GITDEPLOY_PROXY_ADMIN_LISTEN", "127.0.0.1:0")
        .var("GITDEPLOY_LOG_FORMAT", "json")
}

impl Proxy {
    pub(crate) async fn start(folder: impl AsRef<Path>, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let program = program().var("GITDEPLOY_STORE_DIRECTORY", folder.as_ref()).vars(settings);
        let running = program.start();
        let address = field(&running.wait_for_line("\"listening\"", SOON).await, "address");
        let admin = field(&running.wait_for_line("admin_address", SOON).await, "admin_address");
        Self { running, address, admin }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// A connection from another address of this machine, `127.0.0.<last>`.
    pub(crate) async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(self.address.parse().unwrap()).await.unwrap()
    }

    /// What the operator's port answers.
    pub(crate) async fn operator(&self, path: &str) -> (String, String) {
        ask_operator(&self.admin, path).await
    }
}

/// What an operator's port answers.
pub(crate) async fn ask_operator(admin: &str, path: &str) -> (String, String) {
    get(&mut TcpStream::connect(admin).await.unwrap(), "operator", path).await
}

/// The field of a line of the process's log.
pub(crate) fn field(line: &str, name: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["fields"][name].as_str().unwrap().to_owned()
}
