//! The client's bare contract: a builder and a proxy, each a process of its own, with nothing between them but
//! a real Redis and an S3 wire server, and no upload service.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::PathBuf;
use std::time::Duration;

use gitdeploy_core::event::Outcome;
use gitdeploy_core::{Event, FailureCode};
use gitdeploy_test::binary::{Program, Running, Signal};
use gitdeploy_test::git::{GitServer, Repository};
use gitdeploy_test::redis::{RedisServer, Reply};
use gitdeploy_test::s3::{Fault, Operation, S3Server};

/// How long anything may take; far more than it needs.
const LIMIT: Duration = Duration::from_mins(1);

/// The parts that the builder and the proxy find through their settings.
struct World {
    git: GitServer,
    redis: RedisServer,
    /// The S3 server, a process of its own.
    s3: Running,
    s3_vars: Vec<(String, String)>,
    _proxy: Running,
    proxy: String,
}

/// What a build waits for.
struct Gate(tempfile::TempDir);

impl Gate {
    fn path(&self) -> PathBuf {
        self.0.path().join("open")
    }

    fn open(&self) {
        std::fs::write(self.path(), "").unwrap();
    }
}

impl World {
    async fn new() -> Self {
        let s3 = Program::of_workspace("s3-server").start();
        s3.wait_for_line("AWS_SECRET_ACCESS_KEY=", LIMIT).await;
        let lines = s3.stdout();
        let vars = lines.iter().filter_map(|line| line.split_once('='));
        let s3_vars: Vec<_> = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (handler, proxy) = start_proxy(&s3_vars).await;
        Self {
            git: GitServer::start().await,
            redis: RedisServer::start(),
            s3,
            s3_vars,
            _proxy: handler,
            proxy,
        }
    }

    fn builder(&self, project: &str) -> Program {
        Program::of_workspace("build-server")
            .var("GIT_REPOSITORY_URL", self.git.url("site"))
            .var("PROJECT_ID", project)
            .var("GITDEPLOY_BUILD_COMMAND", "bash build.sh")
            .var("GITDEPLOY_BUILD_ALLOW_SCHEMES", "http")
            .var("GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES", "true")
            .vars(self.s3_vars.clone())
            .vars(self.redis.vars())
    }

    /// A build of `blog` into another bucket, which waits behind a gate.
    async fn waiting_build(&self, s3: &S3Server) -> (Running, Gate) {
        let gate = Gate(tempfile::tempdir().unwrap());
        let script = format!(
            "echo before; while [ ! -e {} ]; do sleep 0.1; done; echo after; mkdir dist; echo one > dist/index.html",
            gate.path().display()
        );
        self.git.add("site", &Repository::new().file("build.sh", script).commit("Wait"));
        let builder = self.builder("blog").vars(s3.vars()).start();
        let begun = async {
            while !self.stream("blog").iter().any(|event| event.to_json().contains(r#""before""#)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(LIMIT, begun).await.expect("the build begins");
        (builder, gate)
    }

    /// What the proxy answers for a host: status and body.
    async fn get(&self, label: &str, path: &str) -> (u16, String) {
        get(&self.proxy, label, path).await
    }

    /// The events of the stream in Redis, as anybody can read them.
    fn stream(&self, project: &str) -> Vec<Event> {
        let reply = self.redis.command(&["XRANGE", &format!("events:{project}"), "-", "+"]);
        let mut texts = Vec::new();
        collect(&reply, &mut texts);
        texts
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

fn collect<'a>(reply: &'a Reply, texts: &mut Vec<&'a str>) {
    match reply {
        Reply::Text(text) => texts.push(text),
        Reply::List(replies) => replies.iter().for_each(|reply| collect(reply, texts)),
        Reply::Integer(_) | Reply::Nothing => {}
        Reply::Error(error) => panic!("Redis refuses: {error}"),
    }
}

async fn start_proxy(store: &[(String, String)]) -> (Running, String) {
    let proxy = Program::of_workspace("request-handler")
        .var("GITDEPLOY_PROXY_LISTEN", "127.0.0.1:0")
        .var("GITDEPLOY_PROXY_DOMAIN", "sites.test")
        .var("GITDEPLOY_LOG_FORMAT", "json")
        .vars(store.to_vec())
        .start();
    let line = proxy.wait_for_line(r#""message":"listening""#, LIMIT).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = line["fields"]["address"].as_str().unwrap().to_owned();
    (proxy, address)
}

async fn get(proxy: &str, label: &str, path: &str) -> (u16, String) {
    let request = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{proxy}{path}"));
    let response = request.header("host", format!("{label}.sites.test")).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn script(text: &str) -> Repository {
    let build =
        format!("echo building {text}; mkdir dist; echo {text} > dist/index.html; echo {text} > dist/a.txt");
    Repository::new().file("build.sh", build).commit("Add a script")
}

#[tokio::test]
async fn a_repository_becomes_a_site() {
    let world = World::new().await;
    world.git.add("site", &script("one"));
    let mut subscriber = world.redis.subscribe("logs:blog");
    let mut builder = world.builder("blog").start();
    assert_eq!(builder.wait(LIMIT).await, 0, "{:#?}", builder.stderr());

    let events = world.stream("blog");
    assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq), "{events:#?}");
    let end = events.last().and_then(Event::end).expect("the end is last");
    assert_eq!((end.state, end.files), (Outcome::Ready, Some(2)));
    assert!(events.iter().any(|event| event.to_json().contains("building one")));

    // Whoever subscribes to the channel sees the same events live.
    let mut heard = Vec::new();
    while heard.len() < events.len() {
        let message = subscriber.next(LIMIT).expect("a message for every batch");
        heard.extend(message.lines().map(|line| serde_json::from_str::<Event>(line).unwrap()));
    }
    assert_eq!(heard, events);

    assert_eq!(world.get("blog", "/").await, (200, "one\n".to_owned()));
    assert_eq!(world.get("blog", "/a.txt").await, (200, "one\n".to_owned()));
    assert_eq!(world.get("blog", "/missing.png").await.0, 404);
    // Without a page for what is missing, the site may be an application that reads the address itself.
    assert_eq!(world.get("blog", "/missing").await, (200, "one\n".to_owned()));
    assert_eq!(world.get("other", "/").await.0, 404);
}

#[tokio::test]
async fn a_second_build_replaces_the_site_and_a_failed_one_does_not() {
    let world = World::new().await;
    for text in ["one", "two"] {
        world.git.add("site", &script(text));
        let mut builder = world.builder("blog").start();
        assert_eq!(builder.wait(LIMIT).await, 0, "{:#?}", builder.stderr());
        let switched = async {
            while world.get("blog", "/").await.1 != format!("{text}\n") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(LIMIT, switched).await.expect("the new site is seen");
        assert_eq!(world.get("blog", "/a.txt").await.1, format!("{text}\n"));
    }
    world.git.add("site", &Repository::new().file("build.sh", "exit 3").commit("Break it"));
    let mut builder = world.builder("blog").start();
    assert_eq!(builder.wait(LIMIT).await, 1);
    assert_eq!(world.get("blog", "/").await, (200, "two\n".to_owned()));
}

#[tokio::test]
async fn a_prefix_that_somebody_filled_is_served() {
    let s3 = S3Server::start().await.unwrap();
    s3.insert("__outputs/by-hand/index.html", "<h1>by hand</h1>", Some("text/html"));
    s3.insert("__outputs/by-hand/docs/index.html", "docs", Some("text/html"));
    let (_running, proxy) = start_proxy(&s3.vars()).await;
    assert_eq!(get(&proxy, "by-hand", "/").await, (200, "<h1>by hand</h1>".to_owned()));
    assert_eq!(get(&proxy, "by-hand", "/docs/").await, (200, "docs".to_owned()));
    assert_eq!(get(&proxy, "by-hand", "/nope").await.0, 404);
}

#[tokio::test]
async fn the_manifest_is_written_after_every_file() {
    let world = World::new().await;
    let s3 = S3Server::start().await.unwrap();
    let script = "mkdir dist; for i in $(seq 100); do echo $i > dist/$i.txt; done; echo hi > dist/index.html";
    world.git.add("site", &Repository::new().file("build.sh", script).commit("Make many files"));
    s3.fail(Operation::PutObject, Fault::Delay(Duration::from_millis(50)), usize::MAX);
    let mut builder = world.builder("blog").vars(s3.vars()).start();

    let mut incomplete = 0;
    let watch = async {
        loop {
            let keys = s3.keys();
            let outputs = keys.iter().filter(|key| key.starts_with("__outputs/blog/")).count();
            if keys.iter().any(|key| key == "__manifests/blog.json") {
                assert_eq!(outputs, 101);
                break;
            }
            incomplete += usize::from(outputs > 0);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LIMIT, watch).await.expect("the site is published");
    assert!(incomplete > 0, "nobody looked while it was uploaded");
    assert_eq!(builder.wait(LIMIT).await, 0, "{:#?}", builder.stderr());
}

#[tokio::test]
async fn redis_may_go_away_while_a_build_runs() {
    let mut world = World::new().await;
    let s3 = S3Server::start().await.unwrap();
    let (mut builder, gate) = world.waiting_build(&s3).await;
    world.redis.stop();
    gate.open();
    assert_eq!(builder.wait(LIMIT).await, 0, "{:#?}", builder.stderr());

    // The log is whole in the archive.
    let archive = zstd::decode_all(&s3.object("__logs/blog.ndjson.zst").unwrap()[..]).unwrap();
    let archive = String::from_utf8(archive).unwrap();
    let events: Vec<Event> = archive.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    assert!(archive.contains(r#""before""#) && archive.contains(r#""after""#));
    assert_eq!(events.last().and_then(Event::end).unwrap().state, Outcome::Ready);
}

#[tokio::test]
async fn a_build_whose_store_went_away_is_the_platforms_fault() {
    let world = World::new().await;
    let s3 = S3Server::start().await.unwrap();
    let (mut builder, gate) = world.waiting_build(&s3).await;
    s3.stop().await;
    gate.open();
    assert_eq!(builder.wait(LIMIT).await, 75, "{:#?}", builder.stderr());
    let events = world.stream("blog");
    let end = events.last().and_then(Event::end).unwrap();
    assert_eq!(end.state, Outcome::PlatformError);
    assert_eq!(end.failure.as_ref().unwrap().code, FailureCode::StoreUnavailable);
    // What cannot be archived is said, and was told live.
    let told = events.iter().map(Event::to_json).collect::<String>();
    assert!(told.contains("could not be archived") && told.contains(r#""after""#), "{told}");
}

#[tokio::test]
async fn redis_and_s3_that_are_away_at_the_start_are_named() {
    let mut world = World::new().await;
    world.git.add("site", &script("one"));
    world.redis.stop();
    let mut builder = world.builder("blog").var("GITDEPLOY_BUILD_READY_SECONDS", "2").start();
    assert_eq!(builder.wait(LIMIT).await, 75);
    let said = builder.stderr();
    assert!(said.last().unwrap().starts_with("error: the bus could not be reached within 2 s"), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("trying again")), "{said:#?}");

    world.redis.restart();
    world.s3.signal(Signal::SIGKILL);
    world.s3.wait(LIMIT).await;
    let mut builder = world.builder("blog").var("GITDEPLOY_BUILD_READY_SECONDS", "2").start();
    assert_eq!(builder.wait(LIMIT).await, 75);
    let said = builder.stderr();
    assert!(
        said.last().unwrap().starts_with("error: the store could not be reached within 2 s"),
        "{said:#?}"
    );
    let end = world.stream("blog");
    assert_eq!(end.last().and_then(Event::end).unwrap().state, Outcome::PlatformError);

    let proxy = Program::of_workspace("request-handler")
        .var("GITDEPLOY_PROXY_LISTEN", "127.0.0.1:0")
        .var("GITDEPLOY_PROXY_READY_SECONDS", "2")
        .vars(world.s3_vars.clone());
    let mut proxy = proxy.start();
    assert_eq!(proxy.wait(LIMIT).await, 75);
    assert!(
        proxy.stderr().last().unwrap().contains("could not be reached within 2 s"),
        "{:#?}",
        proxy.stderr()
    );
}
