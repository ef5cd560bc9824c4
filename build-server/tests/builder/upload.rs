//! Uploads to a store that has too much to do, or that fails, and builders that end in the middle of one.

use std::time::Duration;

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::Encoding;
use gitdeploy_core::{Manifest, SitePath, keys};
use gitdeploy_test::binary::Program;
use gitdeploy_test::git::Repository;
use gitdeploy_test::s3::{Fault, Operation, S3Server};
use nix::sys::signal::Signal;

use crate::harness::{Builder, Built, decoded};

/// Builders that publish to S3.
struct Bucket {
    builder: Builder,
    server: S3Server,
    workspace: tempfile::TempDir,
}

impl Bucket {
    async fn new() -> Self {
        let server = S3Server::start().await.unwrap();
        Self { builder: Builder::new().await, server, workspace: tempfile::tempdir().unwrap() }
    }

    /// A builder for a site that consists of `files`, filed under the name of its project, or under `deployment`.
    fn program(&self, files: &[(String, String)], deployment: Option<&str>) -> Program {
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

    async fn build(&self, files: &[(String, String)], deployment: Option<&str>) -> Manifest {
        Built::of(self.program(files, deployment).start()).await.assert_ready();
        self.assert_true(deployment.unwrap_or("site"), files)
    }

    /// Runs a builder until it has sent so many requests of a kind, the last of which is not answered, and kills it
    /// there.
    async fn kill(&self, program: Program, operation: Operation, answered: usize) {
        self.server.forget_requests();
        self.server.fail(operation, Fault::Delay(Duration::ZERO), answered);
        self.server.fail(operation, Fault::Silence, usize::MAX);
        let running = program.start();
        while self.server.requests(operation) <= answered {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.signal(Signal::SIGKILL);
        drop(running);
        self.server.clear_faults();
    }

    fn manifest(&self, id: &str) -> Option<Manifest> {
        let json = self.server.object(keys::manifest(&id.parse().unwrap()).as_str())?;
        Some(serde_json::from_slice(&json).unwrap())
    }

    /// What visitors see consists of `files`: all that the manifest names is there, and is what it says.
    #[track_caller]
    fn assert_true(&self, id: &str, files: &[(String, String)]) -> Manifest {
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
fn site(count: usize, text: &str) -> Vec<(String, String)> {
    let front = ("index.html".to_owned(), format!("<h1>{text}</h1>"));
    let files = (1..count).map(|number| {
        let repeats = if number % 2 == 0 { 200 } else { 1 };
        (format!("{number}.css"), format!("/* {text} {number} */\n").repeat(repeats))
    });
    std::iter::once(front).chain(files).collect()
}

#[tokio::test]
async fn a_store_that_is_busy_gets_the_whole_site() {
    let bucket = Bucket::new().await;
    bucket.server.fail(Operation::PutObject, Fault::BusyAbove(4), usize::MAX);
    let manifest = bucket.build(&site(80, "busy"), None).await;
    let variants: usize = manifest.files.values().map(|file| file.variants.len()).sum();
    assert_eq!(variants, 39 * Encoding::ALL.len());
    let calls = bucket.server.calls();
    assert!(calls.iter().any(|call| call.status == Some(503)), "it was busy");
}

#[tokio::test]
async fn files_that_fail_are_sent_again_and_the_others_are_not() {
    let bucket = Bucket::new().await;
    let faults = [Fault::Status(503), Fault::Status(500), Fault::Reset, Fault::LostAnswer];
    for fault in faults.clone() {
        bucket.server.fail(Operation::PutObject, fault, 10);
    }
    let files = site(40, "again");
    let manifest = bucket.build(&files, None).await;
    let variants: usize = manifest.files.values().map(|file| file.variants.len()).sum();
    // With the manifest and the log.
    let needed = files.len() + variants + 2;
    assert_eq!(bucket.server.requests(Operation::PutObject), needed + 10 * faults.len());
}

#[tokio::test]
async fn a_builder_that_is_killed_leaves_the_old_deployment_and_no_new_one() {
    const OLD: &str = "1m7wywrav60000000000";
    const NEW: &str = "1m7wywrav70000000000";
    let bucket = Bucket::new().await;
    let (old, new) = (site(6, "old"), site(6, "new"));
    bucket.build(&old, Some(OLD)).await;
    let stored = |bucket: &Bucket| -> Vec<_> {
        let of_old = |key: &String| key.contains(OLD);
        let keys = bucket.server.keys().into_iter().filter(of_old);
        keys.map(|key| (bucket.server.object(&key).unwrap(), key)).collect()
    };
    let before = stored(&bucket);
    // Six files and three copies of two of them; what follows is the manifest.
    for answered in [0, 1, 5, 8, 11, 12] {
        bucket.kill(bucket.program(&new, Some(NEW)), Operation::PutObject, answered).await;
        assert_eq!(bucket.manifest(NEW), None, "after {answered}");
        assert_eq!(stored(&bucket), before, "after {answered}");
        bucket.assert_true(OLD, &old);
    }
    let of_new = bucket.server.keys().into_iter().filter(|key| key.contains(NEW)).count();
    assert_eq!(of_new, 12, "the last time it was killed with the manifest on its way");
    bucket.build(&new, Some(NEW)).await;
}

#[tokio::test]
async fn a_builder_that_is_killed_while_it_replaces_a_site_leaves_one_of_the_two() {
    let bucket = Bucket::new().await;
    let (old, new) = (site(6, "old"), site(6, "new"));
    bucket.build(&old, None).await;
    // All six files have changed, so the seventh write is the switch.
    for answered in [0, 3, 6] {
        bucket.kill(bucket.program(&new, None), Operation::PutObject, answered).await;
        bucket.assert_true("site", &old);
    }
    // After it visitors see the new site, whatever has become of the files that are moved.
    for (step, answered) in [7, 10, 16, 19].into_iter().enumerate() {
        let new = site(6, &format!("new {step}"));
        bucket.kill(bucket.program(&new, None), Operation::PutObject, answered).await;
        bucket.assert_true("site", &new);
    }
    let new = site(5, "with fewer files");
    bucket.kill(bucket.program(&new, None), Operation::DeleteObject, 2).await;
    bucket.assert_true("site", &new);
    bucket.build(&site(6, "last"), None).await;
}
