//! The platform of these tests.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use gitdeploy_test::aws::{Aws, Cluster};
use gitdeploy_test::binary::{self, Program, Running};
use gitdeploy_test::git::{GitServer, Repository};
use gitdeploy_test::iam::Policy;
use gitdeploy_test::moto::Moto;
use gitdeploy_test::redis::RedisServer;
use gitdeploy_test::s3::{Authority, Keys, S3Server};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// How long anything may take; far more than it needs.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

const TOKEN: &str = "gd_admin_test_0123456789";

/// The publish role, and what it may do: the upper bound of every session. Terraform's tests prove that it makes the
/// same policy, and that of the proxy.
const ROLE: &str = "arn:aws:iam::123456789012:role/gitdeploy-publish";
const ROLE_POLICY: &str = include_str!("../policies/publish-role.json");
const PROXY_POLICY: &str = include_str!("../policies/proxy-role.json");

/// Everything that there is on AWS, and the proxy.
pub(crate) struct Platform {
    pub(crate) git: GitServer,
    pub(crate) redis: RedisServer,
    pub(crate) s3: S3Server,
    pub(crate) aws: Aws,
    pub(crate) service: Service,
    vars: Vec<(String, String)>,
    proxy: String,
    _proxy: Running,
    _moto: Moto,
}

/// One upload service.
pub(crate) struct Service {
    pub(crate) running: Running,
    address: String,
    http: reqwest::Client,
    _data: tempfile::TempDir,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A platform whose upload service has further settings.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let (git, redis, s3) =
            (GitServer::start().await, RedisServer::start(), S3Server::start().await.unwrap());
        let mut cluster = Cluster::of(binary::path("build-server"));
        cluster.stop_timeout = Duration::from_secs(20);
        cluster.environment = vec![
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("GITDEPLOY_LOG_FORMAT".to_owned(), "json".to_owned()),
        ];
        let aws = Aws::start(cluster).await.unwrap();
        aws.lend_to(&s3, ROLE_POLICY).unwrap();
        let moto = Moto::start();
        moto.create_catalog_table("gitdeploy").await;
        let (moto_url, key) = (moto.endpoint(), new_key(&moto).await);

        // The address that builders are told has to be known before the service listens.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut vars = s3.vars();
        vars.extend(redis.vars());
        vars.extend(aws.vars());
        let lend_url = format!("http://{address}");
        let ours = [
            ("AWS_ENDPOINT_URL_DYNAMODB", moto_url.as_str()),
            ("AWS_ENDPOINT_URL_KMS", &moto_url),
            ("GITDEPLOY_API_LISTEN", &address),
            ("GITDEPLOY_API_TOKEN", TOKEN),
            ("GITDEPLOY_API_BUILDS_AT_ONCE", "8"),
            ("GITDEPLOY_API_SITES_URL", "http://{label}.sites.test/"),
            ("GITDEPLOY_BUILD_ALLOW_SCHEMES", "http"),
            ("GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES", "true"),
            ("GITDEPLOY_CATALOG_TABLE", "gitdeploy"),
            ("GITDEPLOY_CATALOG_KMS_KEY", &key),
            ("GITDEPLOY_ECS_CLUSTER", &aws.cluster().name),
            ("GITDEPLOY_ECS_TASK_DEFINITION", &aws.cluster().task_definition),
            ("GITDEPLOY_ECS_CONTAINER", &aws.cluster().container),
            ("GITDEPLOY_ECS_SUBNETS", "subnet-1,subnet-2"),
            ("GITDEPLOY_ECS_SECURITY_GROUPS", "sg-1"),
            ("GITDEPLOY_ECS_CAPACITY", "fargate-spot"),
            ("GITDEPLOY_ECS_EVENTS_QUEUE_URL", &aws.queue_url()),
            ("GITDEPLOY_ECS_POLL_SECONDS", "1"),
            ("GITDEPLOY_LEND_ROLE_ARN", ROLE),
            ("GITDEPLOY_LEND_URL", &lend_url),
            ("GITDEPLOY_LOG_FORMAT", "json"),
        ];
        vars.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
        vars.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let service = Service::start(&vars).await;
        let (running, proxy) = start_proxy(&s3).await;
        Self { git, redis, s3, aws, service, vars, proxy, _proxy: running, _moto: moto }
    }

    /// Another upload service with the same settings, on another port.
    pub(crate) async fn replica(&self) -> Service {
        let mut vars = self.vars.clone();
        vars.retain(|(name, _)| name != "GITDEPLOY_API_LISTEN");
        vars.push(("GITDEPLOY_API_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        Service::start(&vars).await
    }

    /// Starts the service that has ended anew, with an empty disk, as ECS does.
    pub(crate) async fn replace_service(&mut self) {
        self.service = Service::start(&self.vars).await;
    }

    /// Deploys what `script` builds.
    pub(crate) async fn deploy(&self, project: &str, script: &str) -> String {
        self.git.add(project, &Repository::new().file("build.sh", script).commit("Add a script"));
        self.service.deploy(project, &self.git.url(project)).await
    }

    /// Waits until the log of a build holds `text`.
    pub(crate) async fn logs(&self, id: &str, text: &str) {
        until(async || {
            let path = format!("/v1/deployments/{id}/logs");
            let log = self.service.request(Method::GET, &path).send().await.unwrap().text().await.unwrap();
            log.contains(text).then_some(())
        })
        .await;
    }

    /// What the proxy answers.
    pub(crate) async fn visit(&self, label: &str) -> (u16, String) {
        let response = self.request(label).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A visit to the front page of a label.
    pub(crate) fn request(&self, label: &str) -> RequestBuilder {
        let request = self.service.http.get(format!("http://{}/", self.proxy));
        request.header("host", format!("{label}.sites.test"))
    }

    /// Waits until the proxy shows `text` at a label.
    pub(crate) async fn shows(&self, label: &str, text: &str) {
        until(async || (self.visit(label).await == (200, format!("{text}\n"))).then_some(())).await;
    }
}

impl Service {
    async fn start(vars: &[(String, String)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let running = Program::of_workspace("upload-service")
            .vars(vars.to_vec())
            .var("GITDEPLOY_API_DATA_DIRECTORY", data.path())
            .start();
        let line = running.wait_for_line(r#""message":"listening""#, LIMIT).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = line["fields"]["address"].as_str().unwrap().to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { running, address, http, _data: data }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address)).bearer_auth(TOKEN)
    }

    pub(crate) async fn deploy(&self, project: &str, repository: &str) -> String {
        let settings = json!({"command": "bash build.sh"});
        let body = json!({"git": repository, "project": project, "settings": settings});
        let response = self.request(Method::POST, "/v1/deployments").json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{}", response.text().await.unwrap());
        let deployment: Value = response.json().await.unwrap();
        deployment["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str) -> Value {
        let response = self.request(Method::POST, path).send().await.unwrap();
        if !response.status().is_success() {
            let said = self.running.stderr();
            panic!("{}\n{:#?}", response.text().await.unwrap(), &said[said.len().saturating_sub(5)..]);
        }
        response.json().await.unwrap()
    }

    pub(crate) async fn get(&self, id: &str) -> Value {
        let path = format!("/v1/deployments/{id}");
        self.request(Method::GET, &path).send().await.unwrap().json().await.unwrap()
    }

    /// The deployment, once it is in that state.
    pub(crate) async fn in_state(&self, id: &str, state: &str) -> Value {
        until(async || {
            let deployment = self.get(id).await;
            let now = deployment["state"].as_str().unwrap().to_owned();
            let ended = ["ready", "failed", "canceled", "timed_out", "lost"].contains(&now.as_str());
            assert!(now == state || !ended, "{deployment:#}");
            (now == state).then_some(deployment)
        })
        .await
    }

    /// The log to its end, as text.
    pub(crate) async fn log(&self, id: &str) -> String {
        let request = self.request(Method::GET, &format!("/v1/deployments/{id}/logs?follow=true"));
        request.send().await.unwrap().text().await.unwrap()
    }

    pub(crate) async fn kill(&mut self) {
        self.running.signal(binary::Signal::SIGKILL);
        self.running.wait(LIMIT).await;
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, asking).await.expect("it comes to pass")
}

/// A build script that waits for a file before it goes on, and that file.
pub(crate) fn gated(directory: &tempfile::TempDir, text: &str) -> (String, PathBuf) {
    let gate = directory.path().join(text);
    let script = format!(
        "echo before; while [ ! -e {} ]; do sleep 0.1; done; echo after; mkdir dist; echo {text} > dist/index.html",
        gate.display()
    );
    (script, gate)
}

async fn start_proxy(s3: &S3Server) -> (Running, String) {
    let keys = Keys {
        access_key_id: "proxy".to_owned(),
        secret: "secret-of-the-proxy".to_owned(),
        session_token: None,
        expires: None,
    };
    let role = Policy::parse(PROXY_POLICY).unwrap();
    let mut vars = s3.vars();
    vars.retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SECRET"));
    vars.push(("AWS_ACCESS_KEY_ID".to_owned(), keys.access_key_id.clone()));
    vars.push(("AWS_SECRET_ACCESS_KEY".to_owned(), keys.secret.clone()));
    s3.admit(keys, Authority { role, session: None, tags: Vec::new() });
    let proxy = Program::of_workspace("request-handler")
        .var("GITDEPLOY_PROXY_LISTEN", "127.0.0.1:0")
        .var("GITDEPLOY_PROXY_DOMAIN", "sites.test")
        .var("GITDEPLOY_LOG_FORMAT", "json")
        .vars(vars)
        .start();
    let line = proxy.wait_for_line(r#""message":"listening""#, LIMIT).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    (proxy, line["fields"]["address"].as_str().unwrap().to_owned())
}

/// Makes a key of KMS, and returns its id.
async fn new_key(moto: &Moto) -> String {
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(moto.endpoint());
    let credential = "Credential=x/20260101/us-east-1/kms/aws4_request";
    let response = request
        .header("x-amz-target", "TrentService.CreateKey")
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    let key: Value = response.json().await.unwrap();
    key["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}
