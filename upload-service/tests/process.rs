//! The service as a process of its own.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

fn command(directory: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_upload-service"));
    command
        .env_clear()
        .current_dir(directory)
        .env("GITDEPLOY_API_LISTEN", listen)
        .env("GITDEPLOY_STORE_DIRECTORY", directory.join("store"))
        .env("GITDEPLOY_LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The one sentence with which a process that cannot start ends, and its exit code.
fn refused(mut command: Command) -> (String, Option<i32>) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (said.lines().last().unwrap_or_default().to_owned(), output.status.code())
}

struct Service {
    child: Child,
    address: SocketAddr,
    lines: mpsc::Receiver<String>,
}

impl Service {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut said = Vec::new();
        let address = loop {
            let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it listens: {said:#?}"));
            let json: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if json["fields"]["message"] == "listening" {
                break json["fields"]["address"].as_str().unwrap().parse().unwrap();
            }
            said.push(line);
        };
        Self { child, address, lines }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = request.replace("HOST", &self.address.to_string());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(mut self) -> (Vec<String>, Option<i32>) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        let status = self.child.wait().unwrap();
        (self.lines.iter().collect(), status.code())
    }
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let (said, code) = refused(command(directory.path(), "nowhere"));
    assert_eq!(said, "error: invalid setting `GITDEPLOY_API_LISTEN`: invalid socket address syntax");
    assert_eq!(code, Some(64));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (said, code) = refused(command(directory.path(), &address));
    assert!(
        said.starts_with(&format!("error: cannot listen on {address} (`GITDEPLOY_API_LISTEN`): ")),
        "{said}"
    );
    assert_eq!(code, Some(1));

    let mut no_store = command(directory.path(), "127.0.0.1:0");
    no_store.env_remove("GITDEPLOY_STORE_DIRECTORY");
    let (said, code) = refused(no_store);
    assert!(said.starts_with("error: invalid setting `GITDEPLOY_STORE_DIRECTORY`: it is not set"), "{said}");
    assert_eq!(code, Some(64));

    std::fs::write(directory.path().join(".gitdeploy"), "a file").unwrap();
    let (said, code) = refused(command(directory.path(), "127.0.0.1:0"));
    assert!(said.starts_with("error: cannot write in the data directory `.gitdeploy`: "), "{said}");
    assert_eq!(code, Some(1));

    // Before it is waited for a bus that never comes.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut away = command(directory.path(), "127.0.0.1:0");
    away.env("GITDEPLOY_BUS_REDIS_URL", format!("redis://{free}")).env("GITDEPLOY_API_READY_SECONDS", "1");
    let (said, _) = refused(away);
    assert!(said.starts_with("error: cannot write in the data directory `.gitdeploy`: "), "{said}");
}

#[test]
fn a_bus_that_is_away_ends_the_start_after_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = command(directory.path(), "127.0.0.1:0");
    command.env("GITDEPLOY_BUS_REDIS_URL", format!("redis://{free}")).env("GITDEPLOY_API_READY_SECONDS", "1");
    let (said, code) = refused(command);
    assert!(said.starts_with("error: the bus could not be reached within 1 s: "), "{said}");
    assert_eq!(code, Some(75));
}

#[test]
fn a_second_process_on_the_same_data_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(command(directory.path(), "127.0.0.1:0"));
    let (said, code) = refused(command(directory.path(), "127.0.0.1:0"));
    assert_eq!(
        said,
        "error: the data directory `.gitdeploy` is in use by another process: stop that one, or choose another directory"
    );
    assert_eq!(code, Some(1));
    assert_eq!(service.stop().1, Some(0));
}

#[test]
fn it_says_of_another_whether_it_serves() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(command(directory.path(), "127.0.0.1:0"));
    let mut asked = command(directory.path(), &service.address.to_string());
    asked.arg("health");
    assert_eq!(asked.status().unwrap().code(), Some(0));
    service.stop();
    let (said, code) = refused(asked);
    assert!(said.starts_with("error: no answer from 127.0.0.1:"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn the_service_makes_its_token_answers_with_it_and_never_says_it() {
    let directory: TempDir = tempfile::tempdir().unwrap();
    let mut command = command(directory.path(), "127.0.0.1:0");
    command.env("GITDEPLOY_LOG_FILTER", "trace");
    let service = Service::start(command);
    let token = std::fs::read_to_string(directory.path().join(".gitdeploy/token")).unwrap();
    let token = token.trim();
    let authorization = format!("Host: HOST\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
    let answer = service.ask(&format!("GET /v1/deployments HTTP/1.1\r\n{authorization}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let answer = service.ask(&format!("POST /v1/login-links HTTP/1.1\r\n{authorization}\r\n"));
    let code = answer.split_once("/login?code=").unwrap().1.split('"').next().unwrap();
    let answer =
        service.ask(&format!("GET /login?code={code} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let session = answer.split_once("set-cookie: ").unwrap().1.split(['=', ';']).nth(1).unwrap();
    let body = format!("token={token}");
    let form = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}", body.len());
    let answer = service
        .ask(&format!("POST /login HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n{form}\r\n\r\n{body}"));
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let answer = service.ask("GET /v1/projects HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    let (lines, exit) = service.stop();
    assert_eq!(exit, Some(0));
    assert!(lines.iter().any(|line| line.contains("/v1/deployments")), "requests are told: {lines:#?}");
    for secret in [token, code, session] {
        assert!(secret.len() >= 64);
        let told = lines.iter().find(|line| line.contains(secret));
        assert_eq!(told, None);
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused_or_has_a_single_writer() {
    let s3 = gitdeploy_test::s3::S3Server::start().await.unwrap();
    s3.ignore_conditions(true);
    let directory = tempfile::tempdir().unwrap();
    let on_s3 = || {
        let mut command = command(directory.path(), "127.0.0.1:0");
        command.env_remove("GITDEPLOY_STORE_DIRECTORY").envs(s3.vars());
        command
    };
    let (said, code) = tokio::task::spawn_blocking({
        let command = on_s3();
        move || refused(command)
    })
    .await
    .unwrap();
    assert!(
        said.contains("S3 bucket `sites`") && said.contains("GITDEPLOY_STORE_SINGLE_WRITER=true"),
        "{said}"
    );
    assert_eq!(code, Some(1));
    let mut single = on_s3();
    single.env("GITDEPLOY_STORE_SINGLE_WRITER", "true");
    let service = tokio::task::spawn_blocking(move || Service::start(single)).await.unwrap();
    assert_eq!(service.stop().1, Some(0));
    assert_eq!(s3.keys(), [""; 0]);
}
