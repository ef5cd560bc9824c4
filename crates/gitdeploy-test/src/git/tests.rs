use std::path::Path;
use std::process::{Command, Output};

use super::*;

/// Runs the real git as a client.
fn client(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    repository::isolate(&mut command, directory);
    command.args(arguments).current_dir(directory).output().unwrap()
}

fn clone(arguments: &[&str]) -> (TempDir, Output) {
    let directory = tempfile::tempdir().unwrap();
    let output = client(directory.path(), &[&["clone"], arguments, &["copy"]].concat());
    (directory, output)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn small() -> Repository {
    Repository::new().file("index.html", "<h1>one</h1>").commit("one")
}

#[tokio::test]
async fn a_shallow_clone_has_the_files_with_their_bits_and_links() {
    let server = GitServer::start().await;
    let repository = small()
        .file("a/b.txt", "deep")
        .executable("run.sh", "#!/bin/sh\n")
        .symlink("link", "a/b.txt")
        .commit("two")
        .tag("v1");
    server.add("blog", &repository);
    let (directory, output) = clone(&["--depth", "1", &server.url("blog")]);
    assert!(output.status.success(), "{}", said(&output));
    let copy = directory.path().join("copy");
    assert_eq!(std::fs::read_to_string(copy.join("link")).unwrap(), "deep");
    assert_eq!(std::fs::read_link(copy.join("link")).unwrap(), Path::new("a/b.txt"));
    let listed = client(&copy, &["ls-tree", "-r", "HEAD"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("100755 blob"), "{listed}");
    let count = client(&copy, &["rev-list", "--count", "HEAD"]);
    assert_eq!(count.stdout, b"1\n");
}

#[tokio::test]
async fn branches_and_replacements_are_served() {
    let server = GitServer::start().await;
    let repository = small().branch("dev").file("index.html", "<h1>dev</h1>").commit("dev");
    server.add("blog", &repository);
    let read = |arguments: &[&str]| {
        let (directory, output) = clone(arguments);
        assert!(output.status.success(), "{}", said(&output));
        std::fs::read_to_string(directory.path().join("copy/index.html")).unwrap()
    };
    let url = server.url("blog");
    assert_eq!(read(&[&url]), "<h1>one</h1>");
    assert_eq!(read(&["--branch", "dev", &url]), "<h1>dev</h1>");
    server.add("blog", &repository.switch("main").file("index.html", "<h1>two</h1>").commit("two"));
    assert_eq!(read(&[&url]), "<h1>two</h1>");
}

#[tokio::test]
async fn a_large_request_and_a_large_pack_go_through() {
    let server = GitServer::start().await;
    let mut repository = small();
    // More than 1,024 bytes of wants: git compresses the request.
    for number in 0..40 {
        repository = repository.branch(&format!("branch-{number}")).commit(&format!("{number}"));
    }
    let noise: Vec<u8> =
        (0_u64..400_000).flat_map(|n| (n ^ 0x9E37_79B9).wrapping_pow(7).to_le_bytes()).collect();
    server.add("blog", &repository.file("noise", &noise).commit("noise"));
    let (directory, output) = clone(&["--branch", "branch-39", &server.url("blog")]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(std::fs::read(directory.path().join("copy/noise")).unwrap() == noise);
}

#[tokio::test]
async fn the_second_version_of_the_protocol_is_spoken() {
    let server = GitServer::start().await;
    server.add("blog", &small());
    let url = format!("{}/info/refs?service=git-upload-pack", server.url("blog"));
    let response = reqwest::Client::new().get(url).header("git-protocol", "version=2").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-git-upload-pack-advertisement");
    assert!(response.text().await.unwrap().contains("version 2"));
}

#[tokio::test]
async fn a_repository_may_want_a_login() {
    let server = GitServer::start().await;
    server.add("blog", &small());
    server.require_login("blog", "ada", "secret");
    let url = server.url("blog");
    let (_directory, output) = clone(&[&url]);
    assert!(!output.status.success());
    let with_login = |password: &str| url.replace("http://", &format!("http://ada:{password}@"));
    let (_directory, output) = clone(&[&with_login("wrong")]);
    assert!(said(&output).contains("Authentication failed"), "{}", said(&output));
    let (_directory, output) = clone(&[&with_login("secret")]);
    assert!(output.status.success(), "{}", said(&output));
}

#[tokio::test]
async fn an_unknown_repository_is_not_found_and_an_empty_one_is_empty() {
    let server = GitServer::start().await;
    let (_directory, output) = clone(&[&server.url("nothing")]);
    assert!(said(&output).contains("not found"), "{}", said(&output));
    server.add("empty", &Repository::new());
    let (_directory, output) = clone(&[&server.url("empty")]);
    assert!(said(&output).contains("empty repository"), "{}", said(&output));
}

#[tokio::test]
async fn a_commit_can_be_fetched_by_its_id_where_that_is_allowed() {
    let server = GitServer::start().await;
    let repository = small().commit("two");
    server.add("blog", &repository);
    let directory = tempfile::tempdir().unwrap();
    client(directory.path(), &["init", "--quiet"]);
    let fetch = || {
        let (url, id) = (server.url("blog"), repository.commit_id("HEAD~1"));
        // Version 2 of the protocol allows it always.
        client(directory.path(), &["-c", "protocol.version=0", "fetch", "--depth", "1", &url, &id])
    };
    assert!(!fetch().status.success());
    server.allow_any_commit("blog");
    assert!(fetch().status.success());
}

#[tokio::test]
async fn a_server_may_hang_fail_and_recover() {
    let server = GitServer::start().await;
    server.add("blog", &small());
    server.hang("blog");
    let request = reqwest::get(format!("{}/info/refs", server.url("blog")));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), request).await.is_err());
    server.fail("blog", 503);
    let (_directory, output) = clone(&[&server.url("blog")]);
    assert!(said(&output).contains("503"), "{}", said(&output));
    server.behave("blog");
    let (_directory, output) = clone(&[&server.url("blog")]);
    assert!(output.status.success(), "{}", said(&output));
    let (_directory, output) = clone(&[&GitServer::unreachable_url()]);
    assert!(!output.status.success());
}

#[test]
fn a_repository_is_the_same_every_time() {
    assert_eq!(small().commit_id("main"), small().commit_id("HEAD"));
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join(".gitignore"), "ignored\n").unwrap();
    std::fs::write(source.path().join("ignored"), "x").unwrap();
    let repository = Repository::of_directory(source.path());
    assert_eq!(repository.git(&["ls-files"]), ".gitignore");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn logins_are_encoded() {
    for (text, expected) in [
        ("", ""),
        ("a", "YQ=="),
        ("ab", "YWI="),
        ("abc", "YWJj"),
        ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    ] {
        assert_eq!(base64(text.as_bytes()), expected);
    }
}
