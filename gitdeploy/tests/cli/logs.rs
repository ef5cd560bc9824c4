//! `gitdeploy logs`: late readers, live readers, and readers who come back.

use std::path::PathBuf;

use gitdeploy_test::binary::{Running, Signal};

use crate::harness::{LIMIT, Machine, Ran, text};

/// A deployment whose build has written `before` and writes `after` once the file exists.
async fn waiting_deployment(machine: &Machine) -> (Running, PathBuf) {
    // A build does not get into the data directory.
    let go = machine.site("go", &[("about", "")]).join("now");
    let script = format!(
        "echo before; while [ ! -e {} ]; do sleep 0.1; done; echo after; mkdir dist; echo hi > dist/index.html",
        go.display()
    );
    let site = machine.site("site", &[("build.sh", &script)]);
    let deploy = machine.command(&["deploy", text(&site), "--command", "bash build.sh"]).start();
    deploy.wait_for_line("before", LIMIT).await;
    (deploy, go)
}

#[tokio::test]
async fn a_late_reader_gets_every_line_and_then_follows() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let (deploy, go) = waiting_deployment(&machine).await;
    let id = machine.list().await[0]["id"].as_str().unwrap().to_owned();

    let late = machine.command(&["logs", &id, "-f", "--json"]).start();
    late.wait_for_line(r#""before""#, LIMIT).await;
    // Without `-f` it ends with what there is.
    let now = machine.run(&["logs", &id]).await;
    assert_eq!(now.exit_code, 0, "{now:#?}");
    assert!(now.stdout.contains(&"before".to_owned()) && !now.stdout.contains(&"after".to_owned()));

    // A reader who leaves is told how to come back, and misses nothing.
    let leaves = machine.command(&["logs", &id, "-f", "--json"]).start();
    leaves.wait_for_line(r#""before""#, LIMIT).await;
    leaves.signal(Signal::SIGINT);
    let first = Ran::of(leaves).await;
    let told = first.stderr.last().unwrap();
    assert!(told.contains("continues here"), "{first:#?}");
    let from = told.split("--from ").nth(1).unwrap().split('`').next().unwrap().to_owned();

    std::fs::write(&go, "").unwrap();
    let second = machine.run(&["logs", &id, "-f", "--json", "--from", &from]).await;
    let late = Ran::of(late).await;
    assert_eq!((late.exit_code, second.exit_code), (0, 0));
    assert_eq!([first.stdout, second.stdout].concat(), late.stdout);
    let seqs: Vec<u64> = late
        .stdout
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    assert_eq!(Ran::of(deploy).await.exit_code, 0);

    // Afterwards the archive says the same.
    let archived = machine.run(&["logs", &id, "--json"]).await;
    assert_eq!(archived.stdout, late.stdout);
    let past = machine.run(&["logs", &id, "-f", "--from", "100000"]).await;
    assert_eq!((past.exit_code, past.stdout.len()), (0, 0), "{past:#?}");
    drop(up);
}

#[tokio::test]
async fn leaving_a_deployment_does_not_end_it() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let (deploy, go) = waiting_deployment(&machine).await;
    deploy.signal(Signal::SIGINT);
    let left = Ran::of(deploy).await;
    assert_eq!(left.exit_code, 4);
    assert!(left.stderr.last().unwrap().contains("the build goes on"), "{left:#?}");
    std::fs::write(&go, "").unwrap();
    let id = machine.list().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(machine.run(&["logs", &id, "-f"]).await.exit_code, 0);
    drop(up);
}
