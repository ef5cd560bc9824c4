//! A whole control plane in a temporary directory, whose builders are scripts.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use gitdeploy_bus::EventBus;
use gitdeploy_core::{DeploymentId, Route, State};
use gitdeploy_store::ObjectStore;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use upload_service::{Config, Control, Launcher, router};

/// Longer than anything takes on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const TOKEN: &str = "gd_admin_0000_0123456789";

/// The host that [`ADDRESS`] answers for.
pub(crate) const HOST: &str = "127.0.0.1:8081";

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8081);

/// What scripts that stand in for builders can call. `meet x` waits until the test calls `Platform::go("x")`.
const PRELUDE: &str = r#"#!/bin/bash
seq=0
event() { seq=$((seq + 1)); printf '{"seq":%d,"at":1795219200123,%s}\n' "$seq" "$1"; }
log() { event "\"kind\":\"log\",\"phase\":\"build\",\"stream\":\"stdout\",\"line\":$seq,\"text\":\"$1\""; }
phase() { event "\"kind\":\"phase\",\"phase\":\"$1\",\"state\":\"started\""; }
meet() { until [ -e "$TMPDIR/$1" ]; do sleep 0.02; done; }
manifest() {
  local directory="$GITDEPLOY_STORE_DIRECTORY/__manifests"
  mkdir -p "$directory"
  printf '{"version":1,"id":"%s","attempt":%s,"files":{"index.html":{"bytes":5,"sha256":"%064d","etag":"x","content_type":"text/html"}},"origin":{"repository":"https://host/blog","reference":"main","commit":"9f3c1e2","message":"Fix nav"},"builder":"stand-in","started":1,"finished":2}' \
    "$DEPLOYMENT_ID" "$GITDEPLOY_ATTEMPT" 0 > "$directory/.part-$$"
  mv "$directory/.part-$$" "$directory/$DEPLOYMENT_ID.json"
}
publish() { phase upload; manifest; event '"kind":"end","state":"ready","files":1,"bytes":5'; }
"#;

/// The control plane under test.
pub(crate) struct Platform {
    pub(crate) control: Control,
    pub(crate) directory: TempDir,
    pub(crate) stopping: CancellationToken,
    pub(crate) store: ObjectStore,
    router: Router,
    builds: Option<JoinHandle<()>>,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Platform {
    /// One whose builders run `script`.
    pub(crate) async fn new(script: &str) -> Self {
        Self::idle(script).await.started()
    }

    /// One that starts no builds.
    pub(crate) async fn idle(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::open(directory, script, |_| ()).await
    }

    /// One with other settings.
    pub(crate) async fn open(directory: TempDir, script: &str, change: impl FnOnce(&mut Config)) -> Self {
        let store = ObjectStore::directory(directory.path().join("store")).unwrap();
        Self::with_store(directory, store, script, change).await
    }

    /// One with another bus, that starts no builds.
    pub(crate) async fn with_bus(bus: EventBus, script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = ObjectStore::directory(directory.path().join("store")).unwrap();
        Self::with(directory, store, bus, script, |_| ()).await
    }

    /// One with another store than the directory `store`, which its builders take for the store.
    pub(crate) async fn with_store(
        directory: TempDir,
        store: ObjectStore,
        script: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::with(directory, store, EventBus::memory(), script, change).await
    }

    async fn with(
        directory: TempDir,
        store: ObjectStore,
        bus: EventBus,
        script: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let root = directory.path();
        let builder = root.join("builder");
        std::fs::create_dir_all(root.join("meet")).unwrap();
        std::fs::write(&builder, format!("{PRELUDE}{script}")).unwrap();
        std::fs::set_permissions(&builder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut config = Config {
            data_directory: root.join("data"),
            token: Some(TOKEN.into()),
            grace_seconds: 20,
            ..Config::default()
        };
        change(&mut config);
        let vars = [
            ("PATH", std::env::var_os("PATH").unwrap().into_string().unwrap()),
            ("TMPDIR", text(&root.join("meet"))),
            ("GITDEPLOY_STORE_DIRECTORY", text(&root.join("store"))),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value)).to_vec();
        // Through bash, for a file that was just written may still be open in a process that a parallel
        // test is forking, and then cannot be executed.
        let launcher = Launcher::process("bash", vec![text(&builder)], &vars);
        let stopping = CancellationToken::new();
        let control =
            Control::open(config, upload_service::Parts::new(store.clone(), bus, launcher), stopping.clone())
                .await
                .unwrap();
        let router = router(control.clone(), ADDRESS);
        Self { control, directory, stopping, store, router, builds: None }
    }

    /// The same with its builds running.
    pub(crate) fn started(mut self) -> Self {
        let control = self.control.clone();
        self.builds = Some(tokio::spawn(async move { control.run_builds().await }));
        self
    }

    /// Stops it as a signal would, and returns its directory.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.stopping.cancel();
        if let Some(builds) = self.builds.take() {
            tokio::time::timeout(PATIENCE, builds).await.expect("it stops in time").unwrap();
        }
        self.directory
    }

    /// Stops it as `kill -9` would: nothing is written any more.
    pub(crate) async fn kill(self) -> TempDir {
        if let Some(builds) = self.builds {
            builds.abort();
            builds.await.unwrap_err();
        }
        drop((self.control, self.router));
        let lock = std::fs::File::open(self.directory.path().join("data/lock")).unwrap();
        until(async || lock.try_lock().ok()).await;
        lock.unlock().unwrap();
        self.directory
    }

    /// Lets the scripts go on that wait at `meet name`.
    pub(crate) fn go(&self, name: &str) {
        std::fs::write(self.directory.path().join("meet").join(name), "").unwrap();
    }

    /// Waits until a script has made the file `name` in its `$TMPDIR`.
    pub(crate) async fn met(&self, name: &str) {
        let path = self.directory.path().join("meet").join(name);
        until(async || path.exists().then_some(())).await;
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.raw(request).await;
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("the answer ends").unwrap();
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Deploys the project from a repository that nobody clones.
    pub(crate) async fn deploy(&self, project: &str) -> DeploymentId {
        let body = json!({ "git": "https://host/blog", "project": project });
        let answer = self.post("/v1/deployments", &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// The deployment once it is final.
    pub(crate) async fn final_view(&self, id: &DeploymentId) -> Value {
        until(async || {
            let view = self.get(&format!("/v1/deployments/{id}")).await.json();
            let state: State = view["state"].as_str().unwrap().parse().unwrap();
            state.is_final().then_some(view)
        })
        .await
    }

    /// Waits until the deployment is in `state`.
    pub(crate) async fn in_state(&self, id: &DeploymentId, state: &str) -> Value {
        until(async || {
            let view = self.get(&format!("/v1/deployments/{id}")).await.json();
            (view["state"] == state).then_some(view)
        })
        .await
    }

    /// The log as lines, once it has ended.
    pub(crate) async fn whole_log(&self, id: &DeploymentId) -> Vec<String> {
        let request = request(Method::GET, &format!("/v1/deployments/{id}/logs?follow=true"));
        let answer = self.send(request.body(Body::empty()).unwrap()).await;
        answer.text.lines().map(str::to_owned).collect()
    }

    pub(crate) async fn route(&self, label: &str) -> Option<Route> {
        let key = gitdeploy_core::keys::route(label).unwrap();
        let (_, bytes) = self.store.read(&key, 10_000).await.ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    /// How many files wait in the data directory for the store.
    pub(crate) fn uploads(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("data/uploads")).unwrap().count()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A request of the operator.
pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    anonymous(method, path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
}

/// A request of somebody.
pub(crate) fn anonymous(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, HOST)
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it comes to pass")
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
