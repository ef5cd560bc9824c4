//! Submodules and files that are kept in LFS.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::{GitServer, Repository, SshServer, pointer};

use crate::harness::{Builder, Built};

fn theme() -> Repository {
    Repository::new().file("style.css", "old").commit("Old").file("style.css", "new").commit("New")
}

fn failed(built: &Built, code: FailureCode, named: &str) {
    built.assert_failed(1, Outcome::Failed, code);
    let failure = built.end().failure.clone().unwrap();
    assert!(failure.cause.contains(named), "{failure}");
}

#[tokio::test]
async fn submodules_are_fetched_at_their_commits_and_theirs_too() {
    let builder = Builder::new().await;
    let theme = theme();
    builder.git.add("theme", &theme);
    let inner = Repository::new()
        .file("a.js", "a")
        .submodule("theme", "../theme.git", &theme.commit_id("main~1"))
        .commit("Inner");
    builder.git.add("inner", &inner);
    let outer = Repository::new()
        .file("index.html", "hi")
        .submodule("lib/inner", &builder.git.url("inner"), &inner.commit_id("main"))
        .submodule("newest", "./../theme.git", &theme.commit_id("main"))
        .gitlink("stray", &theme.commit_id("main"))
        .commit("Outer");
    let script = "git status --porcelain; mkdir dist; cp -r index.html lib newest dist";
    let built = builder.build(&outer, &[("GITDEPLOY_BUILD_COMMAND", script)]).await;
    built.assert_ready();
    assert_eq!(builder.published("lib/inner/theme/style.css").unwrap(), "old");
    assert_eq!(builder.published("newest/style.css").unwrap(), "new");
    assert!(built.notices().iter().any(|notice| notice.contains("`stray`")), "{:?}", built.notices());
    assert!(
        !built.lines().iter().any(|line| line.starts_with(" M ") || line.starts_with("?? ")),
        "{:?}",
        built.lines()
    );
}

#[tokio::test]
async fn a_submodule_that_cannot_be_fetched_is_named() {
    let builder = Builder::new().await;
    let commit = theme().commit_id("main");
    let with = |url: &str| {
        Repository::new().file("index.html", "hi").submodule("sub/theme", url, &commit).commit("First")
    };
    for url in ["../nothing.git", "file:///etc", "/etc", "ext::sh -c date", "../../../etc", ""] {
        let built = builder.build(&with(url), &[]).await;
        failed(&built, FailureCode::CloneSubmodule, "`sub/theme`");
    }
    builder.git.add("theme", &theme());
    let gone = Repository::new().submodule("t", "../theme.git", &"1".repeat(40)).commit("First");
    failed(&builder.build(&gone, &[]).await, FailureCode::CloneSubmodule, "`t`");
    // What the network does stays the platform's.
    let away = builder.build(&with(&GitServer::unreachable_url()), &[]).await;
    away.assert_failed(75, Outcome::PlatformError, FailureCode::CloneSubmodule);
    // A submodule that is itself a parent of itself never ends.
    let endless = Repository::new().file("index.html", "hi").commit("First");
    let first = endless.commit_id("main");
    let endless = endless.submodule("me", "../site.git", &first).commit("Second");
    builder.build(&endless, &[]).await.assert_ready();
}

#[tokio::test]
async fn a_token_is_not_sent_to_a_submodule_elsewhere() {
    let builder = Builder::new().await;
    let other = GitServer::start().await;
    let theme = theme();
    other.add("theme", &theme);
    other.require_login("theme", "x-access-token", "t0ken");
    builder.git.add("theme", &theme);
    for name in ["theme", "site"] {
        builder.git.require_login(name, "x-access-token", "t0ken");
    }
    let host = builder.git.address().to_string();
    let vars = [("GITDEPLOY_GIT_TOKEN", "t0ken"), ("GITDEPLOY_GIT_HOST", host.as_str())];
    let with = |url: &str| {
        let repository = Repository::new().file("index.html", "hi");
        repository.submodule("theme", url, &theme.commit_id("main")).commit("First")
    };
    builder.build(&with("../theme.git"), &vars).await.assert_ready();
    let elsewhere = builder.build(&with(&other.url("theme")), &vars).await;
    failed(&elsewhere, FailureCode::CloneSubmodule, "`theme`");
    assert!(other.requests().iter().all(|(_, authorization)| authorization.is_none()));
}

#[tokio::test]
async fn files_of_lfs_are_in_the_place_of_their_pointers() {
    let builder = Builder::new().await;
    let picture = vec![7_u8; 3_000_000];
    let with = |attributes: &str| {
        Repository::new()
            .file(".gitattributes", attributes)
            .file("index.html", "hi")
            .file("a/picture.bin", pointer(&picture))
            .file("text.txt", pointer(b"no LFS"))
            .commit("First")
    };
    builder.git.add_to_lfs("site", &picture);
    let script = "git status --porcelain; mkdir dist; cp -r index.html a text.txt dist";
    let vars = [("GITDEPLOY_BUILD_COMMAND", script)];
    let built = builder.build(&with("*.bin filter=lfs diff=lfs merge=lfs -text\n"), &vars).await;
    built.assert_ready();
    assert!(std::fs::read(builder.object("__outputs/site/a/picture.bin")).unwrap() == picture);
    // What looks like a pointer and is not tracked is a text.
    assert_eq!(builder.published("text.txt").unwrap(), pointer(b"no LFS"));
    let changed = |line: &&&str| line.starts_with(" M ") || line.starts_with("?? lfs");
    assert_eq!(built.lines().iter().find(changed), None);

    builder.git.require_login("site", "x-access-token", "t0ken");
    let host = builder.git.address().to_string();
    let login = [("GITDEPLOY_GIT_TOKEN", "t0ken"), ("GITDEPLOY_GIT_HOST", host.as_str())];
    builder.build(&with("*.bin filter=lfs\n"), &[&vars[..], &login].concat()).await.assert_ready();
    // From another server without the token, and never from where the rules do not allow.
    let other = GitServer::start().await;
    other.add("site", &with(""));
    other.add_to_lfs("site", &picture);
    builder.git.lend_lfs_from("site", &format!("{}/info/lfs/files", other.url("site")));
    builder.build(&with("*.bin filter=lfs\n"), &[&vars[..], &login].concat()).await.assert_ready();
    let told = other.requests();
    assert!(!told.is_empty() && told.iter().all(|(_, authorization)| authorization.is_none()), "{told:?}");
}

#[tokio::test]
async fn a_file_of_lfs_that_is_missing_damaged_or_elsewhere_is_named() {
    let builder = Builder::new().await;
    let with = |content: &str| {
        let repository =
            Repository::new().file(".gitattributes", "*.bin filter=lfs\n").file("index.html", "hi");
        repository.file("picture.bin", content).commit("First")
    };
    let check = async |content: &str| {
        failed(&builder.build(&with(content), &[]).await, FailureCode::CloneLfs, "`picture.bin`");
    };
    // The server has no LFS at all, then not this file.
    check(&pointer(b"missing")).await;
    builder.git.add_to_lfs("site", b"there");
    check(&pointer(b"missing")).await;
    builder.build(&with(&pointer(b"there")), &[]).await.assert_ready();
    // Longer than the pointer says, and shorter.
    check(&pointer(b"there").replace("size 5", "size 4")).await;
    for base in ["file:///etc", "ftp://127.0.0.1/x", "no address"] {
        builder.git.lend_lfs_from("site", base);
        check(&pointer(b"there")).await;
    }
    let huge = pointer(b"there").replace("size 5", "size 5000000000000");
    let built = builder.build(&with(&huge), &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::CloneTooLarge);
}

#[tokio::test]
async fn lfs_behind_an_ssh_server_on_a_port_of_its_own_is_said_to_be_out_of_reach() {
    let builder = Builder::new().await;
    let server = SshServer::start();
    let repository =
        Repository::new().file(".gitattributes", "*.bin filter=lfs\n").file("a.bin", pointer(b"x"));
    server.add("site", &repository.commit("First"));
    let program = builder.bare().var("GIT_REPOSITORY_URL", server.url("site"));
    let program = program.var("GITDEPLOY_GIT_SSH_KEY", server.key());
    let built = Built::of(program.var("GITDEPLOY_GIT_KNOWN_HOSTS", server.known_host()).start()).await;
    failed(&built, FailureCode::CloneLfs, "`a.bin`");
}
