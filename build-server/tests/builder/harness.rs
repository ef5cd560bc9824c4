//! Runs builders and reads what they did.

use std::path::PathBuf;
use std::time::Duration;

use gitdeploy_core::event::{Decision, LogLine, Outcome};
use gitdeploy_core::manifest::Encoding;
use gitdeploy_core::{Body, End, Event, FailureCode, Manifest};
use gitdeploy_test::binary::{Program, Running};
use gitdeploy_test::git::{GitServer, Repository};

/// How long a builder may take in a test; far more than it needs.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A directory store and builders that publish to it.
pub(crate) struct Builder {
    pub(crate) store: tempfile::TempDir,
    pub(crate) git: GitServer,
}

/// A build that has ended.
pub(crate) struct Built {
    pub(crate) exit_code: i32,
    pub(crate) events: Vec<Event>,
    pub(crate) stderr: Vec<String>,
}

impl Builder {
    pub(crate) async fn new() -> Self {
        Self { store: tempfile::tempdir().unwrap(), git: GitServer::start().await }
    }

    /// A builder for a repository of the git server, which is allowed to be on loopback.
    pub(crate) fn program(&self, repository: &str) -> Program {
        self.bare().var("GIT_REPOSITORY_URL", self.git.url(repository))
    }

    /// A builder that knows everything but its repository.
    pub(crate) fn bare(&self) -> Program {
        self.knowing(Program::of_workspace("build-server"))
    }

    /// A builder that is started by `program` and knows everything but its repository.
    pub(crate) fn knowing(&self, program: Program) -> Program {
        program
            .var("PROJECT_ID", "site")
            .var("GITDEPLOY_STORE_DIRECTORY", self.store.path())
            .var("GITDEPLOY_BUILD_ALLOW_SCHEMES", "https,ssh,http")
            .var("GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES", "true")
    }

    /// Builds a repository with the given variables.
    pub(crate) async fn build(&self, repository: &Repository, vars: &[(&str, &str)]) -> Built {
        self.git.add("site", repository);
        let program =
            vars.iter().fold(self.program("site"), |program, (name, value)| program.var(name, value));
        Built::of(program.start()).await
    }

    /// Builds a tree with a build script for bash.
    pub(crate) async fn build_script(&self, script: &str, vars: &[(&str, &str)]) -> Built {
        let repository = Repository::new().file("build.sh", script).commit("Add a script");
        let vars = [&[("GITDEPLOY_BUILD_COMMAND", "bash build.sh")], vars].concat();
        self.build(&repository, &vars).await
    }

    /// What a published file contains.
    pub(crate) fn published(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.object(&format!("__outputs/site/{path}"))).ok()
    }

    pub(crate) fn manifest(&self) -> Option<Manifest> {
        let json = std::fs::read(self.object("__manifests/site.json")).ok()?;
        Some(serde_json::from_slice(&json).unwrap())
    }

    /// The events of the archived log.
    pub(crate) fn archive(&self) -> Vec<Event> {
        let archive = std::fs::read(self.object("__logs/site.ndjson.zst")).unwrap();
        parse(&String::from_utf8(zstd::decode_all(&archive[..]).unwrap()).unwrap())
    }

    pub(crate) fn object(&self, key: &str) -> PathBuf {
        self.store.path().join(key)
    }
}

impl Built {
    pub(crate) async fn of(running: Running) -> Self {
        Self::within(running, LIMIT).await
    }

    pub(crate) async fn within(mut running: Running, limit: Duration) -> Self {
        let exit_code = running.wait(limit).await;
        Self { exit_code, events: parse(&running.stdout().join("\n")), stderr: running.stderr() }
    }

    /// How it ended; every build says so exactly once, at the very end.
    pub(crate) fn end(&self) -> &End {
        let ends = self.events.iter().filter(|event| event.end().is_some()).count();
        assert_eq!(ends, 1, "{:#?}\n{:#?}", self.events, self.stderr);
        self.events.last().and_then(Event::end).expect("the end is last")
    }

    #[track_caller]
    pub(crate) fn assert_ready(&self) {
        assert_eq!(self.end().state, Outcome::Ready, "{:#?}", self.events);
        assert_eq!(self.exit_code, 0);
    }

    /// Asserts that it failed in this way, with a cause and a fix.
    #[track_caller]
    pub(crate) fn assert_failed(&self, exit_code: i32, state: Outcome, code: FailureCode) {
        let end = self.end();
        let failure = end.failure.as_ref().expect("a failure has a reason");
        assert_eq!((end.state, failure.code), (state, code), "{failure}\n{:#?}", self.events);
        assert_eq!(self.exit_code, exit_code);
        assert!(!failure.cause.is_empty() && !failure.cause.ends_with('.'), "{failure}");
        assert!(failure.fix.is_some(), "{failure}");
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        log_lines(&self.events).map(|line| line.text.as_str()).collect()
    }

    /// What the plan decided about something.
    pub(crate) fn decision(&self, name: &str) -> Option<&Decision> {
        let decisions = self.events.iter().filter_map(|event| match &event.body {
            Body::Plan { decisions } => Some(decisions),
            _ => None,
        });
        decisions.flatten().find(|decision| decision.name == name)
    }

    pub(crate) fn notices(&self) -> Vec<&str> {
        let notices = self.events.iter().filter_map(|event| match &event.body {
            Body::Notice { text } => Some(text.as_str()),
            _ => None,
        });
        notices.collect()
    }
}

pub(crate) fn log_lines(events: &[Event]) -> impl Iterator<Item = &LogLine> {
    events.iter().filter_map(|event| match &event.body {
        Body::Log(line) => Some(line),
        _ => None,
    })
}

pub(crate) fn parse(ndjson: &str) -> Vec<Event> {
    let lines = ndjson.lines().filter(|line| !line.is_empty());
    let events: Vec<Event> = lines.map(|line| serde_json::from_str(line).expect(line)).collect();
    let mut last = 0;
    for event in &events {
        // A gap may stand for all events up to its own.
        let follows = event.seq == last + 1 || (event.seq > last && matches!(event.body, Body::Gap { .. }));
        assert!(follows, "a hole in the numbers before {event:?}");
        last = event.seq;
    }
    events
}

/// All files below a directory, if it is there.
pub(crate) fn walk(directory: &std::path::Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// What was compressed.
pub(crate) fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    let mut decoder: Box<dyn std::io::Read> = match encoding {
        Encoding::Br => Box::new(brotli::Decompressor::new(bytes, 4096)),
        Encoding::Zstd => Box::new(zstd::Decoder::new(bytes).unwrap()),
        Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
    };
    let mut content = Vec::new();
    decoder.read_to_end(&mut content).unwrap();
    content
}
