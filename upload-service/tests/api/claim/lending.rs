//! A control plane that lends, on a real port.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::Credentials;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use gitdeploy_bus::{BusConfig, EventBus};
use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{DeploymentId, ProjectId};
use gitdeploy_runtime::section;
use gitdeploy_store::{ObjectStore, S3Access, StoreConfig};
use gitdeploy_test::aws::{Aws, Cluster};
use gitdeploy_test::binary::Program;
use gitdeploy_test::redis::RedisServer;
use gitdeploy_test::s3::{Call, S3Server};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use upload_service::catalog::{Deployment, NewDeployment, SourceKind, Target};
use upload_service::{Config, Control, KeyringConfig, Launcher, Lend, LendConfig, Lender, Parts, router};

use crate::support::Answer;

pub(super) const SESSION: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What the role may do whose credentials are lent.
pub(super) const ROLE_POLICY: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::sites", "arn:aws:s3:::sites/*"] }]
}"#;

pub(super) struct Lending {
    pub(super) control: Control,
    pub(super) lender: Lender,
    pub(super) redis: RedisServer,
    pub(super) s3: S3Server,
    pub(super) aws: Aws,
    router: Router,
    serving: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Lending {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (redis, s3) = (RedisServer::start(), S3Server::start().await.unwrap());
        let aws = Aws::start(Cluster::of("/bin/true")).await.unwrap();
        aws.lend_to(&s3, ROLE_POLICY).unwrap();
        let bus = EventBus::open(&BusConfig { redis_url: Some(redis.url().into()) }).await.unwrap();
        let mut vars = s3.vars();
        vars.extend(redis.vars());
        for (name, value) in [
            ("GITDEPLOY_BUILD_ALLOW_SCHEMES", "https,ssh,http"),
            ("GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES", "true"),
        ] {
            vars.push((name.to_owned(), value.to_owned()));
        }
        let mut settings: StoreConfig = section("GITDEPLOY_STORE_", &vars).unwrap();
        settings.access = Some(section::<S3Access>("AWS_", &vars).unwrap());
        let store = ObjectStore::open(&settings).await.unwrap();

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config {
            data_directory: directory.path().join("data"),
            token: Some(crate::support::TOKEN.into()),
            ..Config::default()
        };
        let launcher = Launcher::process("/bin/false", Vec::new(), &Vec::new());
        let stopping = CancellationToken::new();
        let config_of_lender = LendConfig {
            url: Some(format!("http://{address}/")),
            role_arn: Some("arn:aws:iam::123456789012:role/publish".to_owned()),
            ..LendConfig::default()
        };
        let lend = Lend {
            config: config_of_lender,
            keyring: KeyringConfig::default(),
            store: settings,
            vars,
            aws: shared(&aws).await,
        };
        let parts = Parts { lend: Some(lend), ..Parts::new(store, bus, launcher) };
        let control = Control::open(config, parts, stopping).await.unwrap();
        let lender = control.lender().unwrap().clone();
        let router = router(control.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)));
        let serve = router.clone();
        let serving = tokio::spawn(async move { axum::serve(listener, serve).await.unwrap() });
        Self { control, lender, redis, s3, aws, router, serving, _directory: directory }
    }

    /// A deployment of a repository that has just been started.
    pub(super) async fn begin(&self, repository: &str) -> Deployment {
        let project = repository.rsplit('/').next().unwrap().trim_end_matches(".git");
        let origin = Origin { repository: Some(repository.to_owned()), ..Origin::default() };
        self.begin_from(SourceKind::Git, project, origin).await
    }

    pub(super) async fn begin_from(&self, source: SourceKind, project: &str, origin: Origin) -> Deployment {
        let now = Timestamp::now();
        let new = NewDeployment {
            id: DeploymentId::new(now, getrandom::u64().unwrap()),
            project: project.parse::<ProjectId>().unwrap(),
            target: Target::Production,
            source,
            origin,
            settings: BuildSettings {
                command: Some("bash build.sh".to_owned()),
                output: Some("out".to_owned()),
                ..BuildSettings::default()
            },
            created: now,
        };
        let id = self.control.deploy(new).await.unwrap().id;
        let started =
            self.control.catalog().claim_oldest(now, now + Duration::from_mins(5)).await.unwrap().unwrap();
        assert_eq!(started.id, id);
        started
    }

    pub(super) fn token(&self, deployment: &Deployment) -> String {
        self.lender.ticket(deployment).token.expose_secret().to_owned()
    }

    pub(super) async fn claim(&self, deployment: &Deployment, session: &str) -> Answer {
        self.ask(deployment, "claim", session).await
    }

    pub(super) async fn ask(&self, deployment: &Deployment, what: &str, session: &str) -> Answer {
        let path = format!("/internal/v1/builds/{}/{what}", deployment.id);
        let body = json!({ "attempt": deployment.attempt, "session": session });
        self.post(&path, Some(&self.token(deployment)), &body.to_string()).await
    }

    /// Asks as a builder does, which knows the service by another name than people.
    pub(super) async fn post(&self, path: &str, token: Option<&str>, body: &str) -> Answer {
        let mut request =
            Request::builder().method(Method::POST).uri(path).header(header::HOST, "upload.internal");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_owned()));
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// The builder with all that stands in a task's environment.
    pub(super) fn builder(&self, deployment: &Deployment) -> Program {
        let ticket = self.lender.ticket(deployment);
        Program::of_workspace("build-server")
            .var("PROJECT_ID", deployment.project.as_str())
            .var("DEPLOYMENT_ID", deployment.id.as_str())
            .var("GITDEPLOY_ATTEMPT", deployment.attempt.to_string())
            .var("GIT_REPOSITORY_URL", deployment.origin.repository.clone().unwrap())
            .var("GITDEPLOY_CLAIM_URL", ticket.url)
            .var("GITDEPLOY_CLAIM_TOKEN", ticket.token.expose_secret())
            .var("GITDEPLOY_LOG_FILTER", "debug")
    }

    pub(super) fn calls_of(&self, access_key: &str) -> Vec<Call> {
        let calls = self.s3.calls().into_iter();
        calls.filter(|call| call.access_key.as_deref() == Some(access_key)).collect()
    }
}

impl Drop for Lending {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn shared(aws: &Aws) -> SdkConfig {
    let vars = aws.vars();
    let get = |wanted: &str| vars.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
    let keys = Credentials::new(get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"), None, None, "test");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(get("AWS_REGION")))
        .endpoint_url(aws.endpoint())
        .credentials_provider(keys)
        .load()
        .await
}
