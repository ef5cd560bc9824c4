//! What a build cannot do, where the builder is root and commands have a user of their own. Only root can show it, so
//! `cargo test` leaves these tests out unless they are named (`--test isolation`), as `.ci/run` does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod ending;
#[expect(dead_code, reason = "the other tests of the builder need more of it")]
#[path = "../builder/harness.rs"]
mod harness;
mod users;

use std::os::unix::fs::PermissionsExt;

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::binary::{Program, path};
use gitdeploy_test::git::Repository;
use nix::sys::resource::Resource;

use crate::harness::{Builder, Built, LIMIT};

/// A site, so that a build ends well.
const SITE: &str = "mkdir dist; echo hi > dist/index.html";

/// A store and builders, for whoever can show something.
async fn builder() -> Builder {
    assert!(nix::unistd::Uid::effective().is_root(), "only root can show how builds are kept apart");
    Builder::new().await
}

/// A builder for the repository `site` that is started by way of another program.
fn started_by(builder: &Builder, program: Program) -> Program {
    builder.knowing(program).var("GIT_REPOSITORY_URL", builder.git.url("site"))
}

/// What there is in `/proc` about the builder itself, which is the parent of the build's first process.
const LOOK_AT_THE_BUILDER: &str = r#"
    echo "parent $(cat /proc/$PPID/comm)"
    for file in environ mem maps auxv; do head -c 1 /proc/$PPID/$file >/dev/null 2>&1 && echo "read $file"; done
    for link in cwd exe root fd/0 fd/1; do readlink /proc/$PPID/$link >/dev/null && echo "followed $link"; done
    ls /proc/$PPID/fd >/dev/null 2>&1 && echo "listed fd"
    for signal in 0 TERM KILL STOP; do kill -$signal $PPID 2>/dev/null && echo "sent $signal"; done
    echo done
"#;

#[tokio::test]
async fn a_command_has_a_user_without_rights_groups_or_descriptors() {
    let builder = builder().await;
    let script = format!(
        "grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Cap[A-Z][a-z]+):' /proc/self/status; \
         echo limits $(ulimit -u) $(ulimit -n) $(ulimit -f) $(ulimit -c); \
         ls /proc/self/fd | tr '\\n' ' '; echo; \
         (: </dev/tty) 2>/dev/null && echo a terminal; {SITE}"
    );
    let vars = [("GITDEPLOY_BUILD_USERS", "1711")];
    let built = builder.build_script(&script, &vars).await;
    built.assert_ready();
    let lines = built.lines();
    // More than the machine allows cannot be had without a capability.
    let files = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE).unwrap().1.min(65_536);
    for expected in [
        "Uid:\t1711\t1711\t1711\t1711",
        "Gid:\t1711\t1711\t1711\t1711",
        "Groups:\t ",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        // The file size is in KiB.
        &format!("limits 4096 {files} 4194304 0"),
        // The last is the directory itself.
        "0 1 2 3 ",
    ] {
        assert!(lines.iter().any(|line| line.trim_end() == expected.trim_end()), "{expected}: {lines:?}");
    }
    assert!(!lines.contains(&"a terminal"));
}

#[tokio::test]
async fn the_builder_cannot_be_read_or_signalled() {
    let builder = builder().await;
    let script = format!("{LOOK_AT_THE_BUILDER}\n{SITE}");
    let built = builder.build_script(&script, &[("AWS_SECRET_ACCESS_KEY", "hidden-aws")]).await;
    built.assert_ready();
    let lines = built.lines();
    let place = lines.iter().position(|line| line.starts_with("parent")).unwrap();
    assert_eq!(lines[place..=place + 1], ["parent build-server", "done"], "{lines:?}");
}

#[tokio::test]
async fn system_calls_that_no_build_needs_are_refused() {
    let builder = builder().await;
    let repository = Repository::new()
        .file("calls.py", include_str!("calls.py"))
        .file(
            "addresses.js",
            "console.log('addresses ' + (Object.keys(require('os').networkInterfaces()).length > 0))",
        )
        .file("build.sh", format!("python3 calls.py; node addresses.js; {SITE}"))
        .commit("First");
    let built = builder.build(&repository, &[("GITDEPLOY_BUILD_COMMAND", "bash build.sh")]).await;
    built.assert_ready();
    let told: Vec<_> = built.lines().iter().filter_map(|line| line.split_once(' ')).collect();
    let refused = built.lines().iter().filter(|line| line.ends_with(" EPERM")).count();
    assert!(refused >= 18, "{told:?}");
    for (name, result) in told {
        match (name, result) {
            ("clone3", _) => assert_eq!(result, "ENOSYS"),
            ("tcp" | "routes", _) => assert_eq!(result, "OK", "{name}"),
            ("addresses", _) => assert_eq!(result, "true"),
            (_, "OK") => panic!("{name} is allowed"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_fork_bomb_ends_with_its_build() {
    let builder = builder().await;
    let vars = [("GITDEPLOY_BUILD_USERS", "1712"), ("GITDEPLOY_BUILD_SECONDS", "3")];
    let built = builder.build_script("bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 600", &vars).await;
    built.assert_failed(1, Outcome::TimedOut, FailureCode::BuildTimeout);
    assert_eq!(processes_of(1712), "");
}

#[tokio::test]
async fn a_daemon_does_not_outlive_its_command() {
    let builder = builder().await;
    let script = format!(
        "{SITE}; setsid -f bash -c '(trap \"\" INT TERM HUP; while true; do date > dist/late.html; sleep 0.01; done) &' \
         >/dev/null 2>&1; sleep 0.2; ls dist"
    );
    let built = builder.build_script(&script, &[("GITDEPLOY_BUILD_USERS", "1713")]).await;
    built.assert_ready();
    assert!(built.lines().contains(&"late.html"), "the daemon has run");
    assert_eq!(processes_of(1713), "");
}

#[tokio::test]
async fn nothing_that_a_build_leaves_in_the_repository_runs_as_the_builder() {
    let builder = builder().await;
    let mark = tempfile::tempdir().unwrap();
    std::fs::set_permissions(mark.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let payload = format!("#!/bin/sh\ntouch {}/$(id -u)-$(basename $0)\n", mark.path().display());
    let script = format!(
        "printf '{payload}' > payload; chmod 755 payload; \
         for hook in post-checkout pre-commit post-index-change reference-transaction; do cp payload .git/hooks/$hook; done; \
         git config core.fsmonitor $PWD/payload; git config core.sshCommand $PWD/payload; git config filter.x.smudge $PWD/payload; \
         git config core.hooksPath $PWD/.git/hooks; git status >/dev/null; {SITE}"
    )
    .replace("\n'", "\\n'")
    .replace("sh\n", "sh\\n");
    builder.build_script(&script, &[("GITDEPLOY_BUILD_USERS", "1714")]).await.assert_ready();
    let ran: Vec<_> = mark.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!ran.is_empty(), "git itself has run it for the build");
    assert!(ran.iter().all(|name| name.to_str().unwrap().starts_with("1714-")), "{ran:?}");
}

#[tokio::test]
async fn files_of_others_are_not_published() {
    let builder = builder().await;
    for (link, code) in [
        ("ln -s /etc/shadow dist/shadow", FailureCode::OutputLink),
        ("ln -s /proc/self/environ dist/environ", FailureCode::OutputLink),
        ("ln -s ../../../.. dist/up", FailureCode::OutputLink),
        ("ln -s ../../cache dist/cache", FailureCode::OutputLink),
        ("mkfifo dist/pipe", FailureCode::OutputFile),
    ] {
        let built = builder.build_script(&format!("{SITE}; {link}"), &[]).await;
        built.assert_failed(1, Outcome::Failed, code);
    }
    // Most kernels refuse the link itself.
    let built = builder.build_script(&format!("{SITE}; ln /etc/shadow dist/shadow"), &[]).await;
    assert_eq!(built.end().state, Outcome::Failed);
    assert!(builder.manifest().is_none());
}

#[tokio::test]
async fn an_output_of_a_million_files_is_refused() {
    let builder = builder().await;
    let script = format!(
        "{SITE}; mkdir dist/d0; (cd dist/d0; seq 5000 | xargs touch); for n in $(seq 200); do ln -s d0 dist/d$n; done"
    );
    let built = builder.build_script(&script, &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::OutputTooLarge);
}

/// Those that the images are given.
#[tokio::test]
async fn six_capabilities_are_enough() {
    let builder = builder().await;
    let script = format!("touch /tmp/gitdeploy-test-six; id -u; {SITE}");
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("First"));
    for _ in 0..2 {
        let program = Program::new("setpriv")
            .args(["--bounding-set", "-all,+chown,+dac_override,+fowner,+kill,+setgid,+setuid"])
            .arg(path("build-server"));
        let program = started_by(&builder, program).var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
        let built = Built::of(program.var("GITDEPLOY_BUILD_USERS", "1716").start()).await;
        built.assert_ready();
        assert!(built.lines().contains(&"1716"));
        assert!(!built.stderr.iter().any(|line| line.contains("WARN")), "{:?}", built.stderr);
    }
}

#[tokio::test]
async fn a_workspace_that_somebody_could_replace_is_not_used() {
    let builder = builder().await;
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(place.path(), Some(1717), None).unwrap();
    builder.git.add("site", &Repository::new().file("build.sh", SITE).commit("First"));
    let program = builder.program("site").var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
    let built = Built::of(program.var("GITDEPLOY_BUILD_WORKSPACE", place.path()).start()).await;
    built.assert_failed(75, Outcome::PlatformError, FailureCode::BuilderFailed);
    let failure = built.end().failure.as_ref().unwrap().to_string();
    assert!(failure.contains("GITDEPLOY_BUILD_WORKSPACE"), "{failure}");
}

#[tokio::test]
async fn without_the_right_to_change_users_nothing_is_run() {
    let builder = builder().await;
    builder.git.add("site", &Repository::new().file("build.sh", SITE).commit("First"));
    let program =
        Program::new("setpriv").args(["--bounding-set", "-setuid,-setgid"]).arg(path("build-server"));
    let program = started_by(&builder, program).var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
    let built = Built::of(program.start()).await;
    built.assert_failed(75, Outcome::PlatformError, FailureCode::BuilderFailed);
    let failure = built.end().failure.as_ref().unwrap().to_string();
    assert!(failure.contains("SETUID"), "{failure}");
    assert!(builder.manifest().is_none());
}

#[tokio::test]
async fn a_build_that_ignores_every_signal_is_canceled_all_the_same() {
    let builder = builder().await;
    let script = "trap '' INT TERM HUP QUIT; setsid -f bash -c 'trap \"\" INT TERM; while true; do sleep 1; done'; \
                  echo started; while true; do sleep 1; done";
    builder.git.add("site", &Repository::new().file("build.sh", script).commit("First"));
    let program = builder.program("site").var("GITDEPLOY_BUILD_USERS", "1715");
    let running = program.var("GITDEPLOY_BUILD_COMMAND", "bash build.sh").start();
    running.wait_for_line(r#""text":"started""#, LIMIT).await;
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(Built::of(running).await.end().state, Outcome::Canceled);
    assert_eq!(processes_of(1715), "");
}

/// The processes of a user, one a line.
fn processes_of(user: u32) -> String {
    let found = std::process::Command::new("pgrep").args(["-l", "-U", &user.to_string()]).output().unwrap();
    String::from_utf8(found.stdout).unwrap()
}
