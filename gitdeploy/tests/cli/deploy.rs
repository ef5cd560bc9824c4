//! `gitdeploy deploy`, `list` and `open`, beside a platform that runs.

use gitdeploy_test::git::Repository;

use crate::harness::{Machine, git, text};

#[tokio::test]
async fn a_second_deployment_takes_over_and_the_first_stays() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let mut urls = Vec::new();
    for content in ["one", "two"] {
        let site = machine.site("blog", &[("index.html", content)]);
        urls.push(machine.deploy(&[text(&site)]).await);
        assert_eq!(up.get(urls.last().unwrap()).await, (200, content.to_owned()), "at once");
    }
    assert_eq!(urls[0], urls[1]);
    let list = machine.list().await;
    let states: Vec<_> = list.iter().map(|deployment| deployment["production"].as_bool().unwrap()).collect();
    assert_eq!(states, [true, false]);
    for (deployment, content) in list.iter().zip(["two", "one"]) {
        assert_eq!(up.get(deployment["url"].as_str().unwrap()).await, (200, content.to_owned()));
    }
}

#[tokio::test]
async fn production_switches_without_a_moment_between() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let one = machine.site("blog", &[("index.html", "one")]);
    let url = machine.deploy(&[text(&one)]).await;
    let two = machine.site("other", &[("index.html", "two")]);
    let arguments = [text(&two), "--project", "blog"];
    let mut deploying = std::pin::pin!(machine.deploy(&arguments));
    let mut seen = Vec::new();
    loop {
        tokio::select! {
            _ = &mut deploying => break,
            answer = up.get(&url) => seen.push(answer),
        }
    }
    seen.push(up.get(&url).await);
    seen.dedup();
    assert_eq!(seen, [(200, "one".to_owned()), (200, "two".to_owned())]);
}

#[tokio::test]
async fn a_preview_leaves_production_alone() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let site = machine.site("blog", &[("index.html", "one")]);
    let production = machine.deploy(&[text(&site)]).await;
    let site = machine.site("blog", &[("index.html", "two")]);
    let preview = machine.deploy(&[text(&site), "--preview"]).await;
    assert_ne!(preview, production);
    assert_eq!(up.get(&preview).await.1, "two");
    assert_eq!(up.get(&production).await.1, "one");
}

#[tokio::test]
async fn a_prebuilt_directory_is_published_as_it_is() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    // With a build script, which must not run.
    let package = r#"{"scripts":{"build":"exit 1"}}"#;
    let site = machine.site("dist", &[("index.html", "as it is"), ("package.json", package)]);
    let url = machine.deploy(&["--prebuilt", text(&site), "--project", "docs"]).await;
    assert!(url.starts_with("http://docs.localhost:"), "{url}");
    assert_eq!(up.get(&url).await, (200, "as it is".to_owned()));
    assert_eq!(up.get(&format!("{url}package.json")).await, (200, package.to_owned()));
}

#[tokio::test]
async fn an_odd_commit_message_is_no_obstacle() {
    let machine = Machine::new();
    let message = format!("fix:\ttabs {}", "and more ".repeat(10_000));
    let repository = Repository::new().file("index.html", "hi").commit(&message);
    let up = machine.up(&[]).await;
    let url = machine.deploy(&[text(repository.path()), "--project", "odd"]).await;
    assert_eq!(up.get(&url).await.1, "hi");
    let server = git(&repository).await;
    let url = machine.deploy(&[&server.url("site")]).await;
    assert_eq!(up.get(&url).await.1, "hi");
    let shown = machine.list().await[0]["source"]["message"].to_string();
    assert!(shown.contains("fix: tabs") && shown.len() < 300, "{shown}");
}

#[tokio::test]
async fn a_branch_of_a_repository_is_deployed() {
    let machine = Machine::new();
    let repository = Repository::new()
        .file("index.html", "main")
        .commit("One")
        .branch("dev")
        .file("index.html", "dev")
        .commit("Two")
        .switch("main");
    let server = git(&repository).await;
    let up = machine.up(&[]).await;
    let url = machine.deploy(&[&server.url("site"), "--ref", "dev", "--project", "dev-site"]).await;
    assert_eq!(up.get(&url).await.1, "dev");
}

#[tokio::test]
async fn addresses_are_found_by_name() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let empty = machine.run(&["list"]).await;
    assert!(empty.stdout.is_empty() && empty.stderr[0].contains("nothing was deployed yet"), "{empty:#?}");

    let site = machine.site("blog", &[("index.html", "one")]);
    let url = machine.deploy(&[text(&site)]).await;
    let deployment = machine.list().await.remove(0);
    let (id, own) = (deployment["id"].as_str().unwrap(), deployment["url"].as_str().unwrap());
    for (name, expected) in [("blog", url.as_str()), (id, own)] {
        let ran = machine.run(&["open", name, "--print"]).await;
        assert_eq!(ran.stdout, [expected], "{ran:#?}");
    }
    let dashboard = machine.run(&["open", "--print"]).await;
    assert!(dashboard.stdout[0].contains("/login?code="), "{dashboard:#?}");
    let table = machine.run(&["list"]).await.stdout;
    assert!(table[0].starts_with("ID ") && table[1].contains(id) && table[1].ends_with(&url), "{table:#?}");
    drop(up);
}
