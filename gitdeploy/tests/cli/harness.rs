//! A platform in a temporary directory, and commands beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gitdeploy_test::binary::{Program, Running, Signal};
use gitdeploy_test::git::GitServer;
use reqwest::{Method, RequestBuilder};

/// How long anything may take; far more than it needs.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// The data directory of a platform, and a place for sites.
pub(crate) struct Machine {
    directory: tempfile::TempDir,
}

/// `gitdeploy up`, running.
pub(crate) struct Up {
    pub(crate) running: Running,
    sites: u16,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit_code: i32,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Writes a directory with files, in no repository.
    pub(crate) fn site(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let site = self.directory.path().join(name);
        for (path, content) in files {
            let file = site.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        site
    }

    /// A command with the machine's data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Program {
        let data = self.data();
        self.program(arguments).args(["--data-dir", data.to_str().unwrap()])
    }

    /// A command that needs no platform. Repositories on loopback are allowed.
    pub(crate) fn program(&self, arguments: &[&str]) -> Program {
        Program::of_workspace("gitdeploy")
            .args(arguments.iter().copied())
            .var("GITDEPLOY_BUILD_ALLOW_SCHEMES", "http,https")
            .var("GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES", "true")
            .directory(self.directory.path())
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).start()).await
    }

    /// `gitdeploy up` on free ports.
    pub(crate) fn up_program(&self, arguments: &[&str]) -> Program {
        let listen = ["--sites-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"];
        self.command(&[&["up"], arguments].concat()).args(listen)
    }

    /// Starts the platform and waits until it has begun to listen.
    pub(crate) async fn up(&self, arguments: &[&str]) -> Up {
        Up::of(self.up_program(arguments).start()).await
    }

    /// Deploys and asserts that it is ready; returns the address.
    pub(crate) async fn deploy(&self, arguments: &[&str]) -> String {
        let ran = self.run(&[&["deploy"], arguments].concat()).await;
        assert_eq!(ran.exit_code, 0, "{ran:#?}");
        ran.stdout.last().unwrap().clone()
    }

    /// The deployments, the newest first.
    pub(crate) async fn list(&self) -> Vec<serde_json::Value> {
        let ran = self.run(&["list", "--json"]).await;
        assert_eq!(ran.exit_code, 0, "{ran:#?}");
        ran.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Up {
    pub(crate) async fn of(running: Running) -> Self {
        let line = running.wait_for_line("sites  ", LIMIT).await;
        // A platform that ends at once says so instead; then the port is of no use to anybody.
        let sites = port(line.split_whitespace().last().unwrap());
        running.wait_for_line("data  ", LIMIT).await;
        Self { running, sites }
    }

    /// What is served at an address: status and body.
    pub(crate) async fn get(&self, url: &str) -> (u16, String) {
        let response = self.request(Method::GET, url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A request for a site's address, which is reached on this machine, whatever its host. Redirects are not followed.
    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        assert_eq!(port(url), self.sites, "{url}");
        let url = reqwest::Url::parse(url).unwrap();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let address = format!("http://127.0.0.1:{}{}", self.sites, url.path());
        let host = format!("{}:{}", url.host_str().unwrap(), self.sites);
        client.build().unwrap().request(method, address).header("host", host)
    }

    /// What is served under a label.
    pub(crate) async fn page(&self, label: &str) -> (u16, String) {
        self.get(&format!("http://{label}.localhost:{}/", self.sites)).await
    }

    /// Waits for the last line of standard output.
    pub(crate) async fn url(&self) -> String {
        self.running.wait_for_line("serving until Ctrl-C", LIMIT).await;
        // The two outputs come on ways of their own.
        loop {
            if let Some(line) = self.running.stdout().last() {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ctrl-C in a terminal, which meets all processes.
    pub(crate) async fn interrupt(mut self) -> i32 {
        self.running.signal_group(Signal::SIGINT);
        self.running.wait(LIMIT).await
    }
}

impl Ran {
    pub(crate) async fn of(mut running: Running) -> Self {
        let exit_code = running.wait(LIMIT).await;
        Self { exit_code, stdout: running.stdout(), stderr: running.stderr() }
    }

    /// Asserts that it failed with one sentence that says this, and printed nothing else.
    #[track_caller]
    pub(crate) fn assert_refused(&self, exit_code: i32, says: &str) {
        assert_eq!(self.exit_code, exit_code, "{self:#?}");
        let last = self.stderr.iter().rfind(|line| line.starts_with("error: ")).expect("an error is said");
        assert!(last.contains(says), "{self:#?}");
        assert!(self.stdout.is_empty(), "{self:#?}");
    }
}

/// A git server with one repository.
pub(crate) async fn git(repository: &gitdeploy_test::git::Repository) -> GitServer {
    let server = GitServer::start().await;
    server.add("site", repository);
    server
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn port(url: &str) -> u16 {
    let after = url.rsplit(':').next().unwrap();
    after.split('/').next().unwrap().parse().expect(url)
}
