//! What people see in a browser: a site that was built, and the dashboard. The browser is a headless Chromium.

use std::time::Duration;

use gitdeploy_test::binary::{Program, Running, Signal, workspace};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long anything may take; far more than it needs.
const LIMIT: Duration = Duration::from_mins(5);

/// How the internet is reached from this machine, which npm has to know.
const NETWORK: &[&str] = &["HTTPS_PROXY", "HTTP_PROXY", "NODE_EXTRA_CA_CERTS", "NO_PROXY", "SSL_CERT_FILE"];

#[tokio::test]
async fn a_react_site_that_was_built_from_a_repository_runs_in_a_browser() {
    let browser = Browser::new();
    let platform = Platform::up(&["examples/vite-react"]);
    let url = platform.url_of("vite-react").await;
    let page = browser.show(&url).await;
    // What is served has no button: the script makes it.
    assert!(page.contains("<button type=\"button\" class=\"counter\">Count is 0</button>"), "{page}");
    platform.stop(&url).await;
}

#[tokio::test]
async fn a_static_site_generator_builds_its_pages() {
    let browser = Browser::new();
    let platform = Platform::up(&["examples/docs"]);
    let url = platform.url_of("docs").await;
    let page = browser.show(&url).await;
    assert!(page.contains("Documentation, deployed by GitDeploy</h1>"), "{page}");
    platform.stop(&url).await;
}

#[tokio::test]
async fn the_dashboard_lists_a_deployment_and_follows_its_build_to_the_end() {
    let browser = Browser::new();
    let source = tempfile::tempdir().unwrap();
    let go_on = source.path().join("go-on");
    let script = "echo the first line; until [ -e $1 ]; do sleep 0.02; done\n\
                  printf '\\033[32mthe last line\\033[0m\\n'; mkdir site; echo hello > site/index.html\n";
    std::fs::write(source.path().join("build.sh"), script).unwrap();
    let build = format!("bash build.sh {}", go_on.display());
    let directory = source.path().to_str().unwrap();
    let platform =
        Platform::up(&["--project", "watched", "--command", &build, "--output", "site", directory]);
    platform.running.wait_for_line("the first line", LIMIT).await;

    let login = platform.login_link().await;
    let list = browser.show(&login).await;
    let (before, after) = list.split_once("\">watched</a>").unwrap_or_else(|| panic!("{list}"));
    let (_, path) = before.rsplit_once("href=\"").unwrap();
    assert!(after.contains("<span class=\"state building\">building</span>"), "{list}");

    // Chromium has finished a page when nothing is on its way any more: here, when the build has ended.
    let (dashboard, _) = login.split_once("/login?").unwrap();
    let page = browser.open(&format!("{dashboard}{path}"));
    browser.has_asked_for("/logs?from=").await;
    std::fs::write(go_on, "").unwrap();
    let page = said(page).await;
    assert!(page.contains("class=\"state ready\">ready</span>"), "{page}");
    let lines: Vec<_> = page.lines().filter(|line| line.starts_with("the ")).collect();
    assert_eq!(lines, ["the first line", "the last line"], "{page}");

    let url = platform.url_of("watched").await;
    assert!(browser.show(&url).await.contains("hello"));
    platform.stop(&url).await;
}

/// `gitdeploy up` with a data directory of its own.
struct Platform {
    running: Running,
    data: TempDir,
}

impl Platform {
    fn up(arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let ports = ["--sites-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"];
        let program = gitdeploy(&data, "up").args(ports).args(arguments).directory(workspace());
        let network = NETWORK.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let program = network.fold(program, |program, (name, value)| program.var(name, value));
        Self { running: program.start(), data }
    }

    /// The address that is printed when the site is live.
    async fn url_of(&self, project: &str) -> String {
        self.running.wait_for_line(&format!("http://{project}.localhost:"), LIMIT).await
    }

    /// A link that opens the dashboard once.
    async fn login_link(&self) -> String {
        said(gitdeploy(&self.data, "open").arg("--print").start()).await
    }

    /// Ends it as Ctrl-C does. The address was all that it has said on standard output.
    async fn stop(mut self, url: &str) {
        self.running.signal(Signal::SIGINT);
        assert_eq!(self.running.wait(LIMIT).await, 0, "{:?}", self.running.stderr());
        assert_eq!(self.running.stdout(), [url]);
    }
}

fn gitdeploy(data: &TempDir, command: &str) -> Program {
    Program::of_workspace("gitdeploy").args([command, "--data-dir"]).arg(data.path())
}

/// A browser with a profile of its own: it keeps its session between two pages.
struct Browser {
    profile: TempDir,
}

impl Browser {
    fn new() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = std::env::split_paths(&path).any(|directory| directory.join("chromium").is_file());
        assert!(is_there, "there is no `chromium` on the `PATH`: install the Debian package `chromium`");
        Self { profile: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    /// What a page is after its scripts have run.
    async fn show(&self, url: &str) -> String {
        said(self.open(url)).await
    }

    /// Starts to load a page. Its scripts get three seconds of their own time, which stands still while
    /// something is on its way.
    fn open(&self, url: &str) -> Running {
        let path = |name: &str| self.profile.path().join(name).display().to_string();
        Program::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--virtual-time-budget=3000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", path("data")))
            .arg(format!("--log-net-log={}", path("requests.json")))
            .arg(url)
            .var("HOME", self.profile.path())
            .start()
    }

    /// Waits until the page that was opened last has made a request.
    async fn has_asked_for(&self, part: &str) {
        let log = self.profile.path().join("requests.json");
        let asked = async {
            while !std::fs::read(&log).is_ok_and(|log| String::from_utf8_lossy(&log).contains(part)) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LIMIT, asked).await.unwrap_or_else(|_| panic!("nothing was asked for at `{part}`"));
    }
}

/// What a program has said on standard output once it has ended well.
async fn said(mut running: Running) -> String {
    assert_eq!(running.wait(LIMIT).await, 0, "{:?}", running.stderr());
    running.stdout().join("\n")
}
