//! `gitdeploy up`: from a source to a site that stays.

use gitdeploy_test::binary::{Program, Signal, workspace};
use gitdeploy_test::git::Repository;

use crate::harness::{LIMIT, Machine, Ran, Up, git, text};

#[tokio::test]
async fn a_directory_is_served_until_ctrl_c_and_after_a_restart() {
    let machine = Machine::new();
    let site = machine.site("My Site", &[("index.html", "<h1>hi</h1>"), ("about/index.html", "about")]);
    let up = machine.up(&[text(&site)]).await;
    let url = up.url().await;
    assert!(url.starts_with("http://my-site.localhost:"), "{url}");
    assert_eq!(up.get(&url).await, (200, "<h1>hi</h1>".to_owned()));
    assert_eq!(up.get(&format!("{url}about/")).await.1, "about");
    let id = machine.list().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(up.interrupt().await, 0);

    let up = machine.up(&[]).await;
    assert_eq!(up.page("my-site").await, (200, "<h1>hi</h1>".to_owned()));
    assert_eq!(up.page(&id).await, (200, "<h1>hi</h1>".to_owned()));
    let log = machine.run(&["logs", &id]).await;
    assert!(log.stdout.last().unwrap().contains("ready"), "{log:#?}");
    assert_eq!(up.interrupt().await, 0);
}

#[tokio::test]
async fn a_git_url_is_built_and_served() {
    let machine = Machine::new();
    let repository =
        Repository::new().file("build.sh", "mkdir out; echo built > out/index.html").commit("Add a script");
    let server = git(&repository).await;
    let arguments = [&server.url("site"), "--command", "bash build.sh", "--output", "out"];
    let up = machine.up(&arguments).await;
    let url = up.url().await;
    assert!(url.starts_with("http://site.localhost:"), "{url}");
    assert_eq!(up.get(&url).await, (200, "built\n".to_owned()));
    let deployment = &machine.list().await[0];
    assert_eq!(deployment["source"]["commit"], repository.commit_id("main").as_str());
}

#[tokio::test]
async fn of_a_directory_in_a_repository_the_commit_is_deployed() {
    let machine = Machine::new();
    let repository = Repository::new().file("web/index.html", "committed").commit("Add a page");
    let web = repository.path().join("web");
    std::fs::write(web.join("index.html"), "changed").unwrap();
    let up = machine.up(&[text(&web)]).await;
    let url = up.url().await;
    assert!(url.starts_with("http://web.localhost:"), "{url}");
    assert_eq!(up.get(&url).await.1, "committed");
    let said = up.running.stderr().join("\n");
    assert!(said.contains("there are uncommitted changes"), "{said}");
    assert_eq!(machine.list().await[0]["source"]["commit"], repository.commit_id("main").as_str());
}

#[tokio::test]
async fn the_examples_without_a_toolchain_are_served() {
    let machine = Machine::new();
    let example = workspace().join("examples/plain-html");
    let up = machine.up(&[text(&example)]).await;
    let url = up.url().await;
    assert_eq!(up.get(&url).await.0, 200);
    let (status, page) = up.get(&format!("{url}missing")).await;
    assert_eq!(status, 404);
    assert_eq!(page, std::fs::read_to_string(example.join("404.html")).unwrap());
}

#[tokio::test]
async fn a_build_that_fails_ends_it_with_its_cause() {
    let machine = Machine::new();
    let site = machine.site("broken", &[("build.sh", "echo trouble; exit 9")]);
    let ran = Ran::of(machine.up_program(&[text(&site), "--command", "bash build.sh"]).start()).await;
    assert_eq!(ran.exit_code, 1, "{ran:#?}");
    assert!(ran.stdout.is_empty(), "{ran:#?}");
    let said = ran.stderr.join("\n");
    for expected in ["trouble", "✗ build", "the build command exited with 9", "[build.exit]", "fix"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[tokio::test]
async fn ctrl_c_in_a_build_cancels_it() {
    let machine = Machine::new();
    let site = machine.site("slow", &[("build.sh", "echo started; sleep 600")]);
    let up = machine.up(&[text(&site), "--command", "bash build.sh"]).await;
    up.running.wait_for_line("started", LIMIT).await;
    assert_eq!(up.interrupt().await, 4);
    let up = machine.up(&[]).await;
    let deployment = &machine.list().await[0];
    assert!(["canceled", "lost"].contains(&deployment["state"].as_str().unwrap()), "{deployment:#}");
    assert!(deployment["failure"]["cause"].is_string());
    assert_eq!(up.page("slow").await.0, 404);
}

#[tokio::test]
async fn a_second_ctrl_c_does_not_wait() {
    let machine = Machine::new();
    let script = "trap '' INT TERM; echo started; for i in $(seq 60); do sleep 1; done";
    let site = machine.site("stubborn", &[("build.sh", script)]);
    let mut up = machine.up(&[text(&site), "--command", "bash build.sh"]).await;
    up.running.wait_for_line("started", LIMIT).await;
    up.running.signal(Signal::SIGINT);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    up.running.signal(Signal::SIGINT);
    assert_eq!(up.running.wait(LIMIT).await, 4, "{:#?}", up.running.stderr());
    let said = up.running.stderr().join("\n");
    assert!(said.contains("stopped before everything was finished"), "{said}");
}

#[tokio::test]
async fn a_platform_that_was_killed_leaves_no_build_for_ever() {
    let machine = Machine::new();
    let site = machine.site("slow", &[("build.sh", "echo started; sleep 600")]);
    let mut up = machine.up(&[text(&site), "--command", "bash build.sh"]).await;
    up.running.wait_for_line("started", LIMIT).await;
    up.running.signal(Signal::SIGKILL);
    up.running.wait(LIMIT).await;
    let up = machine.up(&[]).await;
    let deployment = &machine.list().await[0];
    assert_eq!(deployment["state"], "lost");
    let log = machine.run(&["logs", deployment["id"].as_str().unwrap(), "-f"]).await;
    assert_eq!(log.exit_code, 3, "{log:#?}");
    drop(up);
}

#[tokio::test]
async fn the_token_may_come_from_the_settings() {
    let machine = Machine::new();
    let site = machine.site("site", &[("index.html", "hi")]);
    let token = "gd_admin_0123456789_abcdefghij";
    let program = machine.up_program(&[text(&site)]).var("GITDEPLOY_API_TOKEN", token);
    let up = Up::of(program.start()).await;
    assert_eq!(up.get(&up.url().await).await.1, "hi");
    let listed = Ran::of(machine.command(&["list"]).var("GITDEPLOY_TOKEN", token).start()).await;
    assert_eq!(listed.exit_code, 0, "{listed:#?}");
    machine.run(&["list"]).await.assert_refused(2, "there is no token in");
}

#[tokio::test]
async fn what_is_taken_is_said() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    Ran::of(machine.up_program(&[]).start()).await.assert_refused(3, "in use by another process");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let other = Machine::new();
    let refused = other.run(&["up", "--sites-listen", &address, "--api-listen", "127.0.0.1:0"]).await;
    refused.assert_refused(3, "another program does");
    let refused = other.run(&["up", "--api-listen", &address, "--sites-listen", "127.0.0.1:0"]).await;
    refused.assert_refused(3, "`--api-listen`");
    drop(up);
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_said() {
    let machine = Machine::new();
    std::fs::write(machine.data(), "a file").unwrap();
    let refused = Ran::of(machine.up_program(&[]).start()).await;
    refused.assert_refused(3, "data directory");
    // Nobody writes there, not even root.
    let arguments = ["up", "--data-dir", "/proc/self/fdinfo", "--sites-listen", "127.0.0.1:0"];
    let program = Program::of_workspace("gitdeploy").args(arguments).args(["--api-listen", "127.0.0.1:0"]);
    Ran::of(program.start())
        .await
        .assert_refused(3, "cannot write in the data directory `/proc/self/fdinfo`");
}

#[tokio::test]
async fn events_can_be_had_as_json() {
    let machine = Machine::new();
    let site = machine.site("site", &[("index.html", "hi")]);
    let up = machine.up_program(&[text(&site), "--json"]).start();
    up.wait_for_line(r#""production":true"#, LIMIT).await;
    let lines = up.stdout();
    let events: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["kind"] == "end" && event["state"] == "ready"), "{events:#?}");
}
