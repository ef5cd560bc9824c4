//! The same against moto, an independent stand-in for AWS: it knows the shape of requests better than we do, and
//! runs nothing.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_ecs::types::{Compatibility, ContainerDefinition};
use aws_sdk_sqs::types::QueueAttributeName;
use gitdeploy_core::FailureCode;
use serde_json::json;
use upload_service::Launcher;
use upload_service::launcher::EcsConfig;

use crate::support::{PATIENCE, deployment, ended, launch, number, order, shared_at};

/// What `moto_server` does, but the containers of tasks have their size as texts, as ECS says it: the SDK does not
/// read moto's numbers. It ends with whoever holds its standard input.
const SERVER: &str = r#"
import os, sys, threading

port = int(sys.argv[1])
os.environ["MOTO_PORT"] = str(port)

from moto.ecs.models import Container
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

make = Container.__init__
def make_as_ecs_does(self, task_definition):
    make(self, task_definition)
    self.cpu, self.memory = str(self.cpu), str(self.memory)
Container.__init__ = make_as_ecs_does

def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=end_with_parent, daemon=True).start()
run_simple("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)
"#;

/// A moto server. It ends when it is dropped, and with this process.
struct Moto {
    child: Child,
    endpoint: String,
}

impl Moto {
    async fn start() -> Self {
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let child = Command::new(python())
                .args(["-c", SERVER, &port.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut moto = Self { child, endpoint: format!("http://127.0.0.1:{port}") };
            for _ in 0..600 {
                let ours = moto.child.try_wait().unwrap().is_none();
                if !ours {
                    break;
                }
                if answers(port).unwrap_or(false) {
                    return moto;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        panic!("moto does not answer");
    }

    /// The first name between `tags` in the answer to a question to EC2, of which moto has a default network.
    fn network(&self, action: &str, tag: &str) -> String {
        let address = self.endpoint.trim_start_matches("http://");
        let body = format!("Action={action}&Version=2016-11-15");
        let request = format!(
            "POST / HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=key/20261121/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=none\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let found = answer.split(&format!("<{tag}>")).nth(1).and_then(|rest| rest.split('<').next());
        found.unwrap_or_else(|| panic!("there is no {tag}: {answer}")).to_owned()
    }

    async fn shared(&self) -> SdkConfig {
        shared_at(&self.endpoint, "eu-central-1".to_owned(), "key".to_owned(), "secret".to_owned()).await
    }
}

/// Whether it is moto that listens, and not somebody else who took the port.
fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /moto-api/ HTTP/1.0\r\n\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    Ok(start.ends_with(b" 200"))
}

/// The Python that has moto: in `target/moto`, or beside `moto_server`.
fn python() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(workspace.join("target/moto/bin")).chain(std::env::split_paths(&path));
    let python = directories.filter(|directory| directory.join("moto_server").is_file());
    let mut python = python.map(|directory| directory.join("python3")).filter(|python| python.is_file());
    python.next().expect("moto is not installed: `pip install 'moto[server]'`")
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes a cluster with a task definition, and says how to use them.
async fn cluster(moto: &Moto, shared: &SdkConfig) -> EcsConfig {
    let ecs = aws_sdk_ecs::Client::new(shared);
    ecs.create_cluster().cluster_name("builds").send().await.unwrap();
    let container =
        ContainerDefinition::builder().name("builder").image("builder:1").memory(512).essential(true);
    let register = ecs.register_task_definition().family("gitdeploy-builder").cpu("256").memory("512");
    let register = register.requires_compatibilities(Compatibility::Fargate);
    register.container_definitions(container.build()).send().await.unwrap();
    EcsConfig {
        cluster: "builds".to_owned(),
        task_definition: "gitdeploy-builder".to_owned(),
        subnets: vec![moto.network("DescribeSubnets", "subnetId")],
        security_groups: vec![moto.network("DescribeSecurityGroups", "groupId")],
        poll_seconds: number(1),
        ..EcsConfig::default()
    }
}

#[tokio::test]
async fn tasks_are_run_described_listed_and_stopped() {
    let moto = Moto::start().await;
    let shared = moto.shared().await;
    let launcher = Launcher::ecs(cluster(&moto, &shared).await, &shared);
    let build = launch(&launcher, &order(1)).await.unwrap();
    let other = launch(&launcher, &order(2)).await.unwrap();

    let found = launcher.running_tasks().await;
    let mut deployments: Vec<_> = found.iter().map(|task| task.deployment.clone()).collect();
    deployments.sort();
    assert_eq!(deployments, [deployment(1), deployment(2)]);
    assert!(found.iter().any(|task| Some(&*task.task) == build.task()));

    build.stop(PATIENCE);
    let canceled = ended(build).await;
    assert_eq!(canceled.failure.unwrap().code, FailureCode::Canceled);
    launcher.stop_task(other.task().unwrap(), "its deployment has ended").await;
    assert_eq!(ended(other).await.reason, "GitDeploy: its deployment has ended");
    assert_eq!(launcher.running_tasks().await, []);
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_named() {
    let moto = Moto::start().await;
    let shared = moto.shared().await;
    let config = EcsConfig { cluster: "elsewhere".to_owned(), ..cluster(&moto, &shared).await };
    let error = launch(&Launcher::ecs(config, &shared), &order(1)).await.unwrap_err();
    assert_eq!(error.failure.code, FailureCode::LaunchRefused, "{error:?}");
    assert!(error.failure.fix.unwrap().contains("`GITDEPLOY_ECS_CLUSTER`"));
}

#[tokio::test]
async fn events_are_received_and_deleted() {
    let moto = Moto::start().await;
    let shared = moto.shared().await;
    let sqs = aws_sdk_sqs::Client::new(&shared);
    let queue = sqs.create_queue().queue_name("tasks").send().await.unwrap().queue_url.unwrap();
    let config = EcsConfig {
        events_queue_url: Some(queue.clone()),
        poll_seconds: number(3600),
        ..cluster(&moto, &shared).await
    };
    let launcher = Launcher::ecs(config, &shared);
    let build = launch(&launcher, &order(1)).await.unwrap();
    let event = json!({
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "detail": {
            "taskArn": build.task().unwrap(), "version": 5, "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "builder", "lastStatus": "STOPPED", "exitCode": 3}]
        }
    });
    for body in ["nonsense".to_owned(), event.to_string()] {
        sqs.send_message().queue_url(&queue).message_body(body).send().await.unwrap();
    }
    assert_eq!(ended(build).await.reason, "exit code 3");

    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let empty = async {
        loop {
            let ask =
                sqs.get_queue_attributes().queue_url(&queue).set_attribute_names(Some(names.clone().into()));
            let attributes = ask.send().await.unwrap().attributes.unwrap();
            if names.iter().all(|name| attributes[name] == "0") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.unwrap();
}
