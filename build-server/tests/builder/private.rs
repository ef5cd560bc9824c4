//! Private repositories: by token and by SSH key, which are shown to nobody else.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::{GitDaemon, GitServer, Repository, SshServer};

use crate::harness::{Builder, Built};

const TOKEN: &str = "t0ken-of-the-operator";

/// A site whose build shows all that it can see of the clone.
fn site() -> Repository {
    let script = "env; cat .git/config; git log -1 --format=%s; git remote get-url origin; cat /proc/$PPID/cmdline; \
                  grep -rs t0ken-of . && echo found; mkdir dist; cp index.html dist";
    Repository::new().file("index.html", "private").file("build.sh", script).commit("First")
}

fn ssh(
    builder: &Builder,
    server: &SshServer,
    name: &str,
    key: &str,
    known: &str,
) -> gitdeploy_test::binary::Program {
    builder
        .bare()
        .var("GIT_REPOSITORY_URL", server.url(name))
        .var("GITDEPLOY_GIT_SSH_KEY", key)
        .var("GITDEPLOY_GIT_KNOWN_HOSTS", known)
        .var("GITDEPLOY_BUILD_COMMAND", "bash build.sh")
}

/// Asserts that nothing that a build left contains the secret.
fn assert_hidden(builder: &Builder, built: &Built, secret: &str) {
    let archive = format!("{:?}", builder.archive());
    let manifest = std::fs::read_to_string(builder.object("__manifests/site.json")).unwrap_or_default();
    for told in [format!("{:?}", built.events), format!("{:?}", built.stderr), archive, manifest] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[tokio::test]
async fn a_token_opens_a_private_repository_and_is_seen_nowhere() {
    let builder = Builder::new().await;
    builder.git.add("private", &site());
    builder.git.require_login("private", "x-access-token", TOKEN);
    let program = builder
        .program("private")
        .var("GITDEPLOY_GIT_TOKEN", TOKEN)
        .var("GITDEPLOY_GIT_HOST", builder.git.address().to_string())
        .var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
    let built = Built::of(program.start()).await;
    built.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), "private");
    let lines = built.lines();
    assert!(lines.contains(&"First") && lines.contains(&builder.git.url("private").as_str()), "{lines:?}");
    assert_hidden(&builder, &built, TOKEN);
    assert!(!lines.join("\n").contains("GITDEPLOY_GIT_TOKEN"), "{lines:?}");
    // It is not sent before the server asks, nor to a repository that needs none.
    assert_eq!(builder.git.requests()[0].1, None);
}

#[tokio::test]
async fn a_user_goes_with_a_token_where_the_operator_says_so() {
    let builder = Builder::new().await;
    builder.git.add("private", &site());
    builder.git.require_login("private", "deploy", TOKEN);
    let with = |user: &str, token: &str| {
        let host = builder.git.address().to_string();
        let program = builder.program("private").var("GITDEPLOY_GIT_HOST", host);
        program.var("GITDEPLOY_GIT_TOKEN", token).var("GITDEPLOY_GIT_USER", user).start()
    };
    Built::of(with("deploy", "wr0ng")).await.assert_failed(1, Outcome::Failed, FailureCode::CloneAuth);
    Built::of(with("deploy", TOKEN)).await.assert_ready();
}

#[tokio::test]
async fn a_token_is_for_one_host_and_port() {
    let builder = Builder::new().await;
    builder.git.add("private", &site());
    builder.git.require_login("private", "x-access-token", TOKEN);
    let elsewhere = builder.program("private").var("GITDEPLOY_GIT_TOKEN", TOKEN);
    let built = Built::of(elsewhere.var("GITDEPLOY_GIT_HOST", "git.example").start()).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::CloneAuth);
    // Not by a redirect from its host either.
    let other = GitServer::start().await;
    other.add("private", &site());
    other.require_login("private", "x-access-token", TOKEN);
    builder.git.redirect("private", &other.url("private"));
    let program = builder.program("private").var("GITDEPLOY_GIT_TOKEN", TOKEN);
    let program = program.var("GITDEPLOY_GIT_HOST", builder.git.address().to_string());
    Built::of(program.start()).await.assert_failed(1, Outcome::Failed, FailureCode::CloneAuth);
    let told = other.requests();
    assert!(!told.is_empty() && told.iter().all(|(_, authorization)| authorization.is_none()), "{told:?}");
    // A token without a host might be asked for by anybody.
    let nobody = builder.program("private").var("GITDEPLOY_GIT_TOKEN", TOKEN).start();
    let mut nobody = nobody;
    assert_eq!(nobody.wait(crate::harness::LIMIT).await, 64);
    let said = nobody.stderr().join("\n");
    assert!(said.contains("GITDEPLOY_GIT_HOST") && !said.contains(TOKEN), "{said}");
}

#[tokio::test]
async fn a_moved_repository_is_followed() {
    let builder = Builder::new().await;
    builder.git.add("new", &site());
    builder.git.redirect("old", &builder.git.url("new"));
    Built::of(builder.program("old").start()).await.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), "private");
}

#[tokio::test]
async fn an_ssh_key_opens_a_private_repository_of_a_server_that_is_known() {
    let builder = Builder::new().await;
    let server = SshServer::start();
    server.add("private", &site());
    let built =
        Built::of(ssh(&builder, &server, "private", &server.key(), &server.known_host()).start()).await;
    built.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), "private");
    let body = server.key().lines().nth(2).unwrap().to_owned();
    assert_hidden(&builder, &built, &body);
    // In one line, as an `--env-file` of docker needs it; and a commit that the server does not hand out.
    let repository = site().file("index.html", "newer").commit("Second");
    server.add("private", &repository);
    let key = server.key().replace('\n', "\\n");
    let program = ssh(&builder, &server, "private", &key, &server.known_host());
    let first = repository.commit_id("main~1");
    Built::of(program.var("GIT_REF", &first).start()).await.assert_ready();
    assert_eq!(builder.manifest().unwrap().origin.commit, Some(first));
}

#[tokio::test]
async fn an_ssh_server_that_is_not_known_gets_nothing() {
    let builder = Builder::new().await;
    let server = SshServer::start();
    server.add("private", &site());
    let host_key = |built: &Built| {
        built.assert_failed(1, Outcome::Failed, FailureCode::CloneHostKey);
        let failure = built.end().failure.clone().unwrap();
        assert!(failure.cause.contains("SHA256:"), "{failure}");
        failure.fix.unwrap()
    };
    let unknown = Built::of(ssh(&builder, &server, "private", &server.key(), "").start()).await;
    let fix = host_key(&unknown);
    let changed = ssh(&builder, &server, "private", &server.key(), &server.wrong_known_host());
    host_key(&Built::of(changed.start()).await);
    // The line that the failure names is the one that helps.
    let line = fix.rsplit('`').nth(1).unwrap();
    Built::of(ssh(&builder, &server, "private", &server.key(), line).start()).await.assert_ready();
}

#[tokio::test]
async fn the_builders_own_list_of_known_hosts_counts() {
    let builder = Builder::new().await;
    let server = SshServer::start();
    server.add("private", &site());
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".ssh")).unwrap();
    std::fs::write(home.path().join(".ssh/known_hosts"), server.known_host()).unwrap();
    let program = ssh(&builder, &server, "private", &server.key(), "");
    Built::of(program.var("HOME", home.path()).start()).await.assert_ready();
}

#[tokio::test]
async fn a_key_that_is_wrong_missing_or_no_key_is_said() {
    let builder = Builder::new().await;
    let server = SshServer::start();
    server.add("private", &site());
    let known = server.known_host();
    let other = Built::of(ssh(&builder, &server, "private", &server.other_key(), &known).start()).await;
    other.assert_failed(1, Outcome::Failed, FailureCode::CloneAuth);
    let none = Built::of(ssh(&builder, &server, "private", "", &known).start()).await;
    none.assert_failed(1, Outcome::Failed, FailureCode::CloneAuth);
    let elsewhere = ssh(&builder, &server, "private", &server.key(), &known);
    let elsewhere = Built::of(elsewhere.var("GITDEPLOY_GIT_HOST", "git.example").start()).await;
    elsewhere.assert_failed(1, Outcome::Failed, FailureCode::CloneAuth);
    let broken = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----";
    let broken = Built::of(ssh(&builder, &server, "private", broken, &known).start()).await;
    broken.assert_failed(1, Outcome::Failed, FailureCode::CloneAuth);
    let missing = Built::of(ssh(&builder, &server, "missing", &server.key(), &known).start()).await;
    missing.assert_failed(1, Outcome::Failed, FailureCode::CloneNotFound);
    let mut no_key = ssh(&builder, &server, "private", "no key", &known).start();
    assert_eq!(no_key.wait(crate::harness::LIMIT).await, 64);
}

#[tokio::test]
async fn a_git_daemon_is_cloned_from_where_the_operator_allows_it() {
    let builder = Builder::new().await;
    let daemon = GitDaemon::start();
    daemon.add("site", &site());
    let program = |name: &str| builder.bare().var("GIT_REPOSITORY_URL", daemon.url(name));
    Built::of(program("site").start()).await.assert_failed(1, Outcome::Failed, FailureCode::CloneAddress);
    let allowed = |name: &str| program(name).var("GITDEPLOY_BUILD_ALLOW_SCHEMES", "git");
    Built::of(allowed("site").start()).await.assert_ready();
    let missing = Built::of(allowed("missing").start()).await;
    missing.assert_failed(1, Outcome::Failed, FailureCode::CloneNotFound);
}
