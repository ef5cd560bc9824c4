//! A real `redis-server` on a port of its own, that can be stopped, restarted and made to hang.

mod wire;

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub use wire::{Reply, Subscriber};

/// How long a server may take to answer after it was started.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a server is started at another port, if somebody else took the one that was free.
const TRIES: usize = 5;

/// A server that keeps nothing on disk and is killed when it is dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    users: Vec<Vec<String>>,
    child: Option<Child>,
    directory: TempDir,
}

impl RedisServer {
    /// Starts a server and waits until it answers. Panics with a plain sentence if there is none to start.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut server = Self { port: 0, users: Vec::new(), child: None, directory };
        let mut said = String::new();
        for _ in 0..TRIES {
            server.port = free_port();
            match server.launch() {
                Ok(()) => return server,
                Err(reason) => said = reason,
            }
        }
        panic!("`redis-server` does not start: {said}");
    }

    /// The port on 127.0.0.1. It stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address for a client without a login.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The address for a user that was added.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// The variables that tell a process of ours where this server is.
    pub fn vars(&self) -> Vec<(String, String)> {
        vec![("GITDEPLOY_BUS_REDIS_URL".to_owned(), self.url())]
    }

    /// Adds a login with ACL rules, such as `~events:* &logs:* +xadd`. It is there after a restart too.
    pub fn add_user(&mut self, user: &str, password: &str, rules: &str) {
        let mut command = vec!["ACL", "SETUSER", user, "on"];
        let password = format!(">{password}");
        command.push(&password);
        command.extend(rules.split_whitespace());
        self.require(&command);
        self.users.push(command.into_iter().map(str::to_owned).collect());
    }

    /// Sends a command on a connection of its own and returns the answer.
    pub fn command(&self, command: &[&str]) -> Reply {
        wire::Connection::open(self.port)
            .and_then(|mut connection| connection.ask(command))
            .unwrap_or_else(|error| panic!("redis does not answer {command:?}: {error}"))
    }

    /// Listens to a channel as any client would. What is published after this returns is heard.
    pub fn subscribe(&self, channel: &str) -> Subscriber {
        Subscriber::open(self.port, channel)
            .unwrap_or_else(|error| panic!("cannot subscribe to `{channel}`: {error}"))
    }

    /// Kills the server: all that it held is gone.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
        }
    }

    /// Starts the server again at the same port, empty.
    pub fn restart(&mut self) {
        self.stop();
        let deadline = Instant::now() + START_TIMEOUT;
        while let Err(reason) = self.launch() {
            assert!(Instant::now() < deadline, "`redis-server` does not start again: {reason}");
            std::thread::sleep(Duration::from_millis(100));
        }
        for user in &self.users {
            self.require(&user.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    /// Makes the server hang: it accepts connections and answers nothing.
    pub fn hang(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Ends the hanging.
    pub fn unhang(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        let id = i32::try_from(child.id()).expect("a process id fits");
        kill(Pid::from_raw(id), signal).expect("a child can be signalled");
    }

    fn require(&self, command: &[&str]) {
        if let Reply::Error(reason) = self.command(command) {
            panic!("redis refuses {command:?}: {reason}");
        }
    }

    fn launch(&mut self) -> Result<(), String> {
        let log = self.directory.path().join("log");
        let child = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .arg("--logfile")
            .arg(&log)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`redis-server` is on the PATH; install the Debian package `redis-server`");
        let child = self.child.insert(child);
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                self.child = None;
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("it ended with {status}\n{said}"));
            }
            let answer = wire::Connection::open(self.port).and_then(|mut wire| wire.ask(&["PING"]));
            if answer.is_ok_and(|answer| answer == Reply::Text("PONG".to_owned())) {
                return Ok(());
            }
            assert!(Instant::now() < deadline, "`redis-server` was started and does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_server_is_empty_at_the_same_port_and_knows_its_users() {
        let mut server = RedisServer::start();
        server.add_user("writer", "secret", "~a +set");
        let port = server.port();
        assert_eq!(server.command(&["SET", "a", "1"]), Reply::Text("OK".to_owned()));
        server.stop();
        server.restart();
        assert_eq!(server.port(), port);
        assert_eq!(server.command(&["GET", "a"]), Reply::Nothing);
        let Reply::List(users) = server.command(&["ACL", "USERS"]) else { panic!("no list") };
        assert!(users.contains(&Reply::Text("writer".to_owned())));
    }

    #[test]
    fn a_subscriber_hears_what_is_published() {
        let server = RedisServer::start();
        let mut subscriber = server.subscribe("news");
        assert_eq!(server.command(&["PUBLISH", "news", "one\ntwo"]), Reply::Integer(1));
        assert_eq!(subscriber.next(Duration::from_secs(10)).as_deref(), Some("one\ntwo"));
        assert_eq!(subscriber.next(Duration::from_millis(1)), None);
    }

    #[test]
    fn a_server_that_is_dropped_is_gone() {
        let server = RedisServer::start();
        let port = server.port();
        drop(server);
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
