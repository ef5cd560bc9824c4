//! Deployments that do not become ready, and the exit codes that tell how.

use gitdeploy_test::binary::Signal;
use gitdeploy_test::git::Repository;
use nix::sys::signal::{kill, killpg};
use nix::unistd::Pid;

use crate::harness::{LIMIT, Machine, Ran, git, text};

#[tokio::test]
async fn the_exit_code_tells_how_it_ended() {
    let machine = Machine::new();
    let up = machine.up_program(&[]).var("GITDEPLOY_BUILD_SECONDS", "2").start();
    let up = crate::harness::Up::of(up).await;
    for (script, exit_code, cause, code) in [
        ("exit 3", 1, "the build command exited with 3", "build.exit"),
        ("true", 1, "the build made no directory", "output.missing"),
        (
            "mkdir dist; ln -s /etc/passwd dist/index.html",
            1,
            "leads out of the output directory",
            "output.link",
        ),
        ("while true; do echo x; sleep 0.2; done", 5, "ran longer than 2 s", "build.timeout"),
    ] {
        let site = machine.site("site", &[("build.sh", script)]);
        let ran =
            machine.run(&["deploy", text(&site), "--command", "bash build.sh", "--output", "dist"]).await;
        assert_eq!(ran.exit_code, exit_code, "{ran:#?}");
        let said = ran.stderr.join("\n");
        assert!(said.contains(cause) && said.contains(code) && said.contains("  fix "), "{said}");
        assert!(ran.stdout.is_empty(), "{ran:#?}");
        let deployment = &machine.list().await[0];
        assert_eq!(deployment["failure"]["code"], code);
        let logs = machine.run(&["logs", deployment["id"].as_str().unwrap()]).await;
        assert_eq!(logs.exit_code, exit_code, "{logs:#?}");
    }
    assert_eq!(up.page("site").await.0, 404);
}

#[tokio::test]
async fn a_repository_that_cannot_be_cloned_is_explained() {
    let machine = Machine::new();
    let server = git(&Repository::new()).await;
    server.add("private", &Repository::new().file("index.html", "hi").commit("One"));
    server.require_login("private", "me", "secret");
    let _up = machine.up(&[]).await;
    for (name, code) in [("missing", "clone.not_found"), ("site", "clone.empty"), ("private", "clone.auth")] {
        let ran = machine.run(&["deploy", &server.url(name)]).await;
        assert_eq!(ran.exit_code, 1, "{ran:#?}");
        assert!(ran.stderr.join("\n").contains(code), "{ran:#?}");
    }
}

#[tokio::test]
async fn a_builder_that_is_killed_is_lost() {
    let machine = Machine::new();
    let _up = machine.up(&[]).await;
    let site = machine.site("site", &[("build.sh", "echo pid $$ $PPID; sleep 600")]);
    let deploy = machine.command(&["deploy", text(&site), "--command", "bash build.sh"]).start();
    let line = deploy.wait_for_line("│ pid ", LIMIT).await;
    let mut pids = line.split_whitespace().rev().map(|pid| Pid::from_raw(pid.parse().unwrap()));
    // The script takes the place of the `bash -c` that starts it, so its parent is the builder.
    let (builder, script) = (pids.next().unwrap(), pids.next().unwrap());
    kill(builder, Signal::SIGKILL).unwrap();
    let ran = Ran::of(deploy).await;
    assert_eq!(ran.exit_code, 3, "{ran:#?}");
    assert!(ran.stderr.join("\n").contains("builder.lost"), "{ran:#?}");
    assert_eq!(machine.list().await[0]["state"], "lost");
    // Nobody was left to end it.
    killpg(script, Signal::SIGKILL).unwrap();
}
