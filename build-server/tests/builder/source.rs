//! What is cloned, and what is said when it cannot be.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::{GitServer, Repository};

use crate::harness::{Builder, Built};

fn two_branches() -> Repository {
    Repository::new()
        .file("index.html", "old")
        .commit("First")
        .tag("v1")
        .file("index.html", "main")
        .commit("Second")
        .branch("dev")
        .file("index.html", "dev")
        .commit("Third")
        .switch("main")
}

#[tokio::test]
async fn the_default_branch_is_built_and_its_commit_is_told() {
    let builder = Builder::new().await;
    let repository = two_branches();
    let built = builder.build(&repository, &[]).await;
    built.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), "main");
    let manifest = builder.manifest().unwrap();
    assert_eq!(manifest.origin.reference.as_deref(), Some("main"));
    assert_eq!(manifest.origin.commit, Some(repository.commit_id("main")));
    assert_eq!(manifest.origin.message.as_deref(), Some("Second"));
    assert_eq!(manifest.origin.repository, Some(builder.git.url("site")));
}

#[tokio::test]
async fn a_branch_a_tag_and_a_commit_are_found() {
    let builder = Builder::new().await;
    let repository = two_branches();
    for (reference, content) in [("dev", "dev"), ("v1", "old"), ("refs/heads/dev", "dev")] {
        builder.build(&repository, &[("GIT_REF", reference)]).await.assert_ready();
        assert_eq!(builder.published("index.html").unwrap(), content, "{reference}");
    }
    let old = repository.commit_id("v1");
    builder.build(&repository, &[("GIT_REF", &old)]).await.assert_ready();
    assert_eq!(builder.manifest().unwrap().origin.commit, Some(old));
    // A commit that is the tip of nothing, on a server that hands out tips only.
    let hidden =
        Repository::new().file("index.html", "one").commit("One").file("index.html", "two").commit("Two");
    let first = hidden.commit_id("main~1");
    builder.build(&hidden, &[("GIT_REF", &first)]).await.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), "one");
}

#[tokio::test]
async fn what_cannot_be_cloned_is_said_in_one_sentence() {
    let builder = Builder::new().await;
    let plain = Repository::new().file("index.html", "hi").commit("First");
    let failed = |built: &Built, code| built.assert_failed(1, Outcome::Failed, code);

    let built = builder.build(&plain, &[("GIT_REF", "nope")]).await;
    failed(&built, FailureCode::CloneReference);
    let commit = "0123456789012345678901234567890123456789";
    let built = builder.build(&plain, &[("GIT_REF", commit)]).await;
    failed(&built, FailureCode::CloneReference);
    let built = builder.build(&Repository::new(), &[]).await;
    failed(&built, FailureCode::CloneEmpty);

    let missing = Built::of(builder.program("missing").start()).await;
    failed(&missing, FailureCode::CloneNotFound);
    builder.git.add("secret", &plain);
    builder.git.require_login("secret", "me", "s3cret");
    let no_login = Built::of(builder.program("secret").start()).await;
    failed(&no_login, FailureCode::CloneAuth);
    let wrong = builder.git.url("secret").replace("http://", "http://me:wr0ng@");
    let refused = Built::of(builder.bare().var("GIT_REPOSITORY_URL", &wrong).start()).await;
    failed(&refused, FailureCode::CloneAuth);
    assert!(!format!("{:?}{:?}", refused.events, refused.stderr).contains("wr0ng"));
    assert!(builder.manifest().is_none());
}

#[tokio::test]
async fn a_login_in_the_address_is_used_and_never_shown() {
    let builder = Builder::new().await;
    builder.git.add("secret", &Repository::new().file("index.html", "hi").commit("First"));
    builder.git.require_login("secret", "me", "s3cret");
    let url = builder.git.url("secret").replace("http://", "http://me:s3cret@");
    let script = [("GITDEPLOY_BUILD_COMMAND", "cat .git/config; env; mkdir dist; cp index.html dist")];
    let program = builder.bare().var("GIT_REPOSITORY_URL", &url).var(script[0].0, script[0].1);
    let built = Built::of(program.start()).await;
    built.assert_ready();
    let manifest = std::fs::read_to_string(builder.object("__manifests/site.json")).unwrap();
    let told = format!("{:?}{:?}{manifest}", built.events, built.stderr);
    assert!(!told.contains("s3cret"), "{told}");
}

#[tokio::test]
async fn local_paths_other_schemes_and_private_hosts_are_refused() {
    let builder = Builder::new().await;
    let local = tempfile::tempdir().unwrap();
    for address in
        [local.path().to_str().unwrap(), "file:///etc", "../x", "ext::sh -c date", "git://127.0.0.1/x"]
    {
        let built = Built::of(builder.bare().var("GIT_REPOSITORY_URL", address).start()).await;
        built.assert_failed(1, Outcome::Failed, FailureCode::CloneAddress);
    }
    let strict = builder.program("site").var("GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES", "false");
    Built::of(strict.start()).await.assert_failed(1, Outcome::Failed, FailureCode::CloneAddress);
}

#[tokio::test]
async fn a_server_that_is_away_or_slow_does_not_hold_the_build() {
    let builder = Builder::new().await;
    let away = builder.bare().var("GIT_REPOSITORY_URL", GitServer::unreachable_url());
    let built = Built::of(away.start()).await;
    built.assert_failed(75, Outcome::PlatformError, FailureCode::CloneUnreachable);
    assert_eq!(built.lines().iter().filter(|line| line.contains("trying again")).count(), 2);

    builder.git.add("slow", &Repository::new().file("index.html", "hi").commit("First"));
    builder.git.hang("slow");
    let slow = builder.program("slow").var("GITDEPLOY_BUILD_CLONE_SECONDS", "1");
    Built::of(slow.start()).await.assert_failed(1, Outcome::TimedOut, FailureCode::CloneTimeout);
}

#[tokio::test]
async fn a_repository_larger_than_the_limit_is_refused() {
    let builder = Builder::new().await;
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(3_000_000)
    .collect();
    let repository = Repository::new().file("index.html", "hi").file("noise", noise).commit("First");
    let built = builder.build(&repository, &[("GITDEPLOY_BUILD_CLONE_BYTES", "100000")]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::CloneTooLarge);
}
