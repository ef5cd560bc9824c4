//! Builders that publish to S3, and whether what they publish is true.

use std::time::Duration;

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{Manifest, SitePath, keys};
use gitdeploy_test::binary::Program;
use gitdeploy_test::git::Repository;
use gitdeploy_test::s3::{Fault, Operation, S3Server};
use nix::sys::signal::Signal;

use crate::harness::{Builder, Built, decoded};

/// The files of a site: their paths and what they contain.
pub(crate) type Files = Vec<(String, String)>;

/// Builders that publish to S3.
pub(crate) struct Bucket {
    builder: Builder,
    pub(crate) server: S3Server,
    workspace: tempfile::TempDir,
}

impl Bucket {
    pub(crate) async fn new() -> Self {
        let server = S3Server::start().await.unwrap();
        Self { builder: Builder::new().await, server, workspace: tempfile::tempdir().unwrap() }
    }

    /// A builder for a site that consists of `files`, filed under the name of its project, or under `deployment`.
    pub(crate) fn program(&self, files: &Files, deployment: Option<&str>) -> Program {
        let repository = files
            .iter()
            .fold(Repository::new(), |repository, (path, content)| repository.file(path, content));
        self.builder.git.add("site", &repository.commit("All files"));
        let program = self
            .builder
            .program("site")
            .vars(self.server.vars())
            .var("GITDEPLOY_BUILD_WORKSPACE", self.workspace.path());
        match deployment {
            Some(deployment) => program.var("DEPLOYMENT_ID", deployment).var("GITDEPLOY_ATTEMPT", "1"),
            None => program,
        }
    }

    pub(crate) async fn build(&self, files: &Files, deployment: Option<&str>) -> Manifest {
        let program = self.program(files, deployment);
        self.run(program, files, deployment).await
    }

    /// Runs a builder whose site consists of `files`.
    pub(crate) async fn run(&self, program: Program, files: &Files, deployment: Option<&str>) -> Manifest {
        Built::of(program.start()).await.assert_ready();
        self.assert_true(deployment.unwrap_or("site"), files)
    }

    /// Runs a builder until it has sent so many requests of a kind, the last of which is not answered, and kills it
    /// there.
    pub(crate) async fn kill(&self, program: Program, operation: Operation, answered: usize) {
        self.server.forget_requests();
        self.server.fail(operation, Fault::Delay(Duration::ZERO), answered);
        self.server.fail(operation, Fault::Silence, usize::MAX);
        let running = program.start();
        while self.server.requests(operation) <= answered {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.signal(Signal::SIGKILL);
        drop(running);
        // What it has sent is not carried out in the middle of what follows.
        self.server.cut().await.unwrap();
        self.server.clear_faults();
    }

    pub(crate) fn manifest(&self, id: &str) -> Option<Manifest> {
        let json = self.server.object(keys::manifest(&id.parse().unwrap()).as_str())?;
        Some(serde_json::from_slice(&json).unwrap())
    }

    /// What visitors see consists of `files`: all that the manifest names is there, and is what it says.
    #[track_caller]
    pub(crate) fn assert_true(&self, id: &str, files: &Files) -> Manifest {
        let manifest = self.manifest(id).unwrap();
        let mut expected: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        expected.sort_unstable();
        assert_eq!(manifest.files.keys().map(SitePath::as_str).collect::<Vec<_>>(), expected);
        for (path, content) in files {
            let path = path.parse().unwrap();
            let file = &manifest.files[&path];
            let object = self.server.object(manifest.key_of(&path, file).as_str()).unwrap();
            assert_eq!(object, content, "{path}");
            assert_eq!(Sha256::of(&object), file.sha256, "{path}");
            for (encoding, variant) in &file.variants {
                let object =
                    self.server.object(keys::variant(&manifest.id, *encoding, &path).as_str()).unwrap();
                assert_eq!(object.len() as u64, variant.bytes, "{path}");
                assert_eq!(decoded(*encoding, &object), content.as_bytes(), "{path}");
            }
        }
        manifest
    }
}

/// Files of which every second one has all variants.
pub(crate) fn site(count: usize, text: &str) -> Files {
    let front = ("index.html".to_owned(), format!("<h1>{text}</h1>"));
    let files = (1..count).map(|number| {
        let repeats = if number % 2 == 0 { 200 } else { 1 };
        (format!("{number}.css"), format!("/* {text} {number} */\n").repeat(repeats))
    });
    std::iter::once(front).chain(files).collect()
}
