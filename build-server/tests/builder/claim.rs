//! Builders that claim what they need from an upload service that a few lines here stand in for.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitdeploy_core::claim::{Claim, ClaimRequest, Credentials};
use gitdeploy_test::binary::Program;
use gitdeploy_test::git::Repository;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Builder, Built, LIMIT};

const TOKEN: &str = "gd_build_token";

/// What is done with a request.
#[derive(Debug, Clone)]
enum Answer {
    Status(u16, String),
    /// The connection is cut after the request was read.
    Lost,
    Redirect(String),
}

/// A request as it came.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    authorization: Option<String>,
    request: ClaimRequest,
}

/// The service: it gives its answers one after the other, the last one for ever.
struct Service {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Service {
    async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/internal/v1/builds/x", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let serving = tokio::spawn({
            let asked = asked.clone();
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let number = asked.lock().unwrap().len().min(answers.len() - 1);
                    let request = answer(stream, &answers[number]).await;
                    asked.lock().unwrap().push(request);
                }
            }
        });
        Self { url, asked, serving }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(stream: TcpStream, answer: &Answer) -> Asked {
    let mut stream = BufReader::new(stream);
    let (mut head, mut line) = (Vec::new(), String::new());
    while stream.read_line(&mut line).await.unwrap() > 2 {
        head.push(std::mem::take(&mut line).trim_end().to_owned());
    }
    let header = |wanted: &str| {
        let of = |line: &String| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
        };
        head.iter().find_map(of)
    };
    let mut body = vec![0; header("content-length").unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    let answer = match answer {
        Answer::Lost => None,
        Answer::Redirect(to) => {
            Some(format!("HTTP/1.1 307 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"))
        }
        Answer::Status(status, body) => Some(format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )),
    };
    if let Some(answer) = answer {
        // Who is told too much hangs up before the end.
        stream.write_all(answer.as_bytes()).await.ok();
    }
    let request = serde_json::from_slice(&body).unwrap();
    Asked { line: head[0].clone(), authorization: header("authorization"), request }
}

fn problem(status: u16, detail: &str) -> Answer {
    Answer::Status(status, format!("{{\"detail\":\"{detail}\",\"code\":\"x\"}}"))
}

fn claim(builder: &Builder) -> Answer {
    claim_with(builder, None)
}

/// Says where the repository is, whatever stands in the environment.
fn claim_with(builder: &Builder, credentials: Option<Credentials>) -> Answer {
    let variables = [
        ("GIT_REPOSITORY_URL", builder.git.url("site")),
        ("GITDEPLOY_BUILD_COMMAND", "bash build.sh".to_owned()),
        ("GITDEPLOY_STORE_DIRECTORY", builder.store.path().to_str().unwrap().to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
    Answer::Status(200, serde_json::to_string(&Claim { variables, credentials }).unwrap())
}

fn program(service: &str) -> Program {
    Program::of_workspace("build-server")
        .var("PROJECT_ID", "site")
        .var("GITDEPLOY_ATTEMPT", "1")
        .var("GIT_REPOSITORY_URL", "https://overridden.test/")
        .var("GITDEPLOY_CLAIM_URL", service)
        .var("GITDEPLOY_CLAIM_TOKEN", TOKEN)
        .var("GITDEPLOY_BUILD_ALLOW_SCHEMES", "http")
        .var("GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES", "true")
        .var("GITDEPLOY_LOG_FILTER", "debug")
}

#[tokio::test]
async fn what_was_claimed_counts_and_a_lost_answer_is_asked_for_again() {
    let builder = Builder::new().await;
    let script = "mkdir out; env > out/index.html";
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("Add a script"));
    let away = problem(503, "the service is stopping");
    let garbage = Answer::Status(200, "no claim".to_owned());
    let service = Service::start(vec![Answer::Lost, away, garbage, claim(&builder)]).await;
    let built =
        Built::of(program(&service.url).var("ECS_CONTAINER_METADATA_URI_V4", "http://x").start()).await;
    built.assert_ready();

    let asked = service.asked();
    assert_eq!(asked.len(), 4, "{asked:#?}");
    for asked in &asked {
        assert_eq!(asked.line, "POST /internal/v1/builds/x/claim HTTP/1.1");
        assert_eq!(asked.authorization.as_deref(), Some("Bearer gd_build_token"));
        assert_eq!(asked.request.attempt.0, 1);
        assert_eq!(asked.request.session.len(), 64);
    }
    let session = &asked[0].request.session;
    assert!(asked.iter().all(|asked| asked.request.session == *session));
    let environment = builder.published("index.html").unwrap();
    let said = format!("{environment}{}{}", built.lines().join("\n"), built.stderr.join("\n"));
    for hidden in [TOKEN, session, "GITDEPLOY_CLAIM", "ECS_CONTAINER"] {
        assert!(!said.contains(hidden), "{hidden}: {said}");
    }
}

#[tokio::test]
async fn a_build_goes_on_when_its_credentials_are_not_renewed() {
    let builder = Builder::new().await;
    let go = builder.store.path().join("go");
    let script =
        format!("until [ -e {} ]; do sleep 0.1; done; mkdir out; echo x > out/index.html", go.display());
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("Add a script"));
    let credentials = Credentials {
        access_key_id: "ASIA".to_owned(),
        secret_access_key: "hidden key".to_owned(),
        session_token: "hidden token".to_owned(),
        expires: jiff::Timestamp::now() + Duration::from_secs(2),
    };
    let claim = claim_with(&builder, Some(credentials));
    let away = problem(503, "something that this service needs cannot be reached");
    let over = problem(409, "this attempt has ended or was replaced");
    let service = Service::start(vec![claim, away, over]).await;
    let running = program(&service.url).start();
    running.wait_for_line("the credentials of the store are not renewed reason=", LIMIT).await;
    std::fs::write(&go, "").unwrap();
    let built = Built::of(running).await;
    built.assert_ready();
    let asked = service.asked();
    let paths: Vec<_> = asked.iter().map(|asked| asked.line.rsplit('/').nth(1).unwrap()).collect();
    assert_eq!(paths, ["claim HTTP", "credentials HTTP", "credentials HTTP"]);
    assert!(asked.iter().all(|one| one.request.session == asked[0].request.session));
    assert!(!built.stderr.join("\n").contains("hidden"), "{:#?}", built.stderr);
}

#[tokio::test]
async fn each_builder_has_a_session_of_its_own() {
    let service = Service::start(vec![problem(409, "this attempt has ended or was replaced")]).await;
    for _ in 0..2 {
        program(&service.url).start().wait(LIMIT).await;
    }
    let asked = service.asked();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0].request.session, asked[1].request.session);
}

#[tokio::test]
async fn what_is_refused_is_not_asked_for_again() {
    let other = Service::start(vec![problem(401, "x")]).await;
    for (answer, says) in [
        (problem(401, "this is not the token of this attempt"), "401 Unauthorized: this is not the token"),
        (
            problem(403, "another builder has claimed this attempt"),
            "another builder has claimed this attempt",
        ),
        (problem(409, "this attempt has ended or was replaced"), "this attempt has ended or was replaced"),
        (Answer::Status(404, "<html>".to_owned()), "404 Not Found"),
        (Answer::Redirect(other.url.clone()), "307 Temporary Redirect"),
    ] {
        let service = Service::start(vec![answer]).await;
        let mut running = program(&service.url).start();
        assert_eq!(running.wait(LIMIT).await, 75, "{:#?}", running.stderr());
        let stderr = running.stderr();
        let last = stderr.last().unwrap();
        assert!(
            last.starts_with("error: the build cannot be claimed: ") && last.contains(says),
            "{stderr:#?}"
        );
        assert_eq!(service.asked().len(), 1);
        assert!(!stderr.join("\n").contains(TOKEN));
    }
    assert_eq!(other.asked().len(), 0, "the token goes nowhere else");
}

#[tokio::test]
async fn a_service_that_stays_away_is_named() {
    let endless = Answer::Status(200, " ".repeat(2 << 20));
    for (answer, says) in [
        (Answer::Lost, ""),
        (problem(500, "something went wrong on our side"), "something went wrong on our side"),
        (Answer::Status(200, "{}".to_owned()), "the answer is not what was asked for"),
        (endless, "longer than"),
    ] {
        let service = Service::start(vec![answer]).await;
        let mut running = program(&service.url).var("GITDEPLOY_BUILD_READY_SECONDS", "5").start();
        assert_eq!(running.wait(LIMIT).await, 75, "{:#?}", running.stderr());
        let stderr = running.stderr();
        let last = stderr.last().unwrap();
        let begin = "error: the upload service could not be reached within 5 s: ";
        assert!(last.starts_with(begin) && last.contains(says), "{stderr:#?}");
        assert!(service.asked().len() > 1);
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named_before_anything_is_asked() {
    let service = Service::start(vec![problem(401, "x")]).await;
    for (name, value) in [
        ("GITDEPLOY_CLAIM_URL", "nowhere"),
        ("GITDEPLOY_CLAIM_URL", "ftp://host/"),
        ("GITDEPLOY_CLAIM_TOKEN", ""),
        ("GITDEPLOY_ATTEMPT", ""),
        ("GITDEPLOY_ATTEMPT", "first"),
        ("GITDEPLOY_BUILD_SECONDS", "soon"),
    ] {
        let mut running = program(&service.url).var(name, value).start();
        assert_eq!(running.wait(LIMIT).await, 64, "{:#?}", running.stderr());
        let stderr = running.stderr();
        assert!(stderr.last().unwrap().contains(&format!("`{name}`")), "{stderr:#?}");
    }
    assert_eq!(service.asked().len(), 0);
}
