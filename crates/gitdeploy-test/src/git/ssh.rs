//! A real OpenSSH server that lets one key in and runs git.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Repository, mirror};

/// A server with a key of its own on a port of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct SshServer {
    root: TempDir,
    port: u16,
    child: Child,
}

impl SshServer {
    /// Starts a server without repositories.
    pub fn start() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        for name in ["host", "client", "stranger"] {
            let mut command = Command::new("ssh-keygen");
            let command = command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]);
            let made = command.arg(root.path().join(name)).status().expect("openssh-client is installed");
            assert!(made.success(), "ssh-keygen made no key");
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        drop(listener);
        let place = root.path().display();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {place}/host\nAuthorizedKeysFile {place}/client.pub\n\
             PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
             StrictModes no\nPermitRootLogin yes\nPermitUserEnvironment no\n"
        );
        std::fs::write(root.path().join("config"), config).expect("a file can be written");
        if std::fs::metadata("/run/sshd").is_err() {
            // Where the server goes when it runs as root; the package's service makes it.
            std::fs::create_dir_all("/run/sshd").ok();
        }
        let child = Command::new(program())
            .arg("-D")
            .arg("-e")
            .arg("-f")
            .arg(root.path().join("config"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(root.path().join("log")).expect("a file can be written"))
            .spawn()
            .expect("openssh-server is installed");
        let mut server = Self { root, port, child };
        server.wait();
        server
    }

    /// Serves a copy of a repository.
    pub fn add(&self, name: &str, repository: &Repository) {
        mirror(self.root.path(), name, repository);
    }

    /// The address of a repository, for the user that runs the test.
    pub fn url(&self, name: &str) -> String {
        let user = Command::new("id").arg("-un").output().expect("every system has `id`").stdout;
        let user = String::from_utf8_lossy(&user);
        format!("ssh://{}@127.0.0.1:{}{}/{name}.git", user.trim(), self.port, self.root.path().display())
    }

    /// The private key that is let in.
    pub fn key(&self) -> String {
        self.read("client")
    }

    /// A private key that is not let in.
    pub fn other_key(&self) -> String {
        self.read("stranger")
    }

    /// The line of a `known_hosts` file for this server.
    pub fn known_host(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.read("host.pub"))
    }

    /// A line that says another key of this server.
    pub fn wrong_known_host(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.read("stranger.pub"))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.root.path().join(name)).expect("the key was made")
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait().expect("it is our child");
            let log = self.read("log");
            assert!(ended.is_none() && Instant::now() < deadline, "sshd does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// It wants to be started by its absolute path, which is not in everybody's `PATH`.
fn program() -> PathBuf {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
    let is_program =
        |path: &&Path| path.metadata().is_ok_and(|found| found.permissions().mode() & 0o111 != 0);
    let found = places.iter().map(Path::new).find(is_program);
    found.expect("openssh-server is installed").to_owned()
}
