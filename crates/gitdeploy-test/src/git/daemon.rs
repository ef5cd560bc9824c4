//! `git daemon`, which serves the scheme `git`.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Repository, mirror, repository};

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct GitDaemon {
    root: TempDir,
    port: u16,
    child: Child,
}

impl GitDaemon {
    /// Starts a server without repositories.
    pub fn start() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        drop(listener);
        // Not through `git`, which would leave its child behind when it is killed.
        let folder = repository::git(root.path(), &["--exec-path"]);
        let mut command = Command::new(format!("{folder}/git-daemon"));
        repository::isolate(&mut command, root.path());
        let child = command
            .args(["--listen=127.0.0.1", "--reuseaddr", "--export-all", &format!("--port={port}")])
            .arg(format!("--base-path={}", root.path().display()))
            .arg(root.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("git is installed");
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "git daemon does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { root, port, child }
    }

    /// Serves a copy of a repository.
    pub fn add(&self, name: &str, repository: &Repository) {
        mirror(self.root.path(), name, repository);
    }

    /// The address of a repository.
    pub fn url(&self, name: &str) -> String {
        format!("git://127.0.0.1:{}/{name}.git", self.port)
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
