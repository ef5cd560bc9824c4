//! `gitdeploy promote`, `rollback` and `cancel`.

use crate::harness::{LIMIT, Machine, Ran, text};

#[tokio::test]
async fn a_rollback_and_a_promotion_switch_at_once_and_build_nothing() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let mut url = String::new();
    for content in ["one", "two"] {
        url = machine.deploy(&[text(&machine.site("blog", &[("index.html", content)]))]).await;
    }
    let ids: Vec<_> =
        machine.list().await.iter().map(|deployment| deployment["id"].as_str().unwrap().to_owned()).collect();
    let back = machine.run(&["rollback", "blog"]).await;
    assert_eq!((back.exit_code, back.stdout), (0, vec![url.clone()]));
    assert_eq!(back.stderr, [format!("blog leads to {}", ids[1])]);
    assert_eq!(up.get(&url).await, (200, "one".to_owned()));
    machine
        .run(&["rollback", "blog"])
        .await
        .assert_refused(2, "`blog` has no earlier deployment that is ready");

    // The beginning of an id will do.
    let forward = machine.run(&["promote", &ids[0][..18]]).await;
    assert_eq!((forward.exit_code, forward.stdout), (0, vec![url.clone()]));
    assert_eq!(up.get(&url).await, (200, "two".to_owned()));
    assert_eq!(machine.list().await.len(), 2);
}

#[tokio::test]
async fn a_build_is_canceled_from_another_terminal() {
    let machine = Machine::new();
    let _up = machine.up(&[]).await;
    let site = machine.site("site", &[("build.sh", "echo before; sleep 1000")]);
    let deploy = machine.command(&["deploy", text(&site), "--command", "bash build.sh"]).start();
    deploy.wait_for_line("before", LIMIT).await;
    let id = machine.list().await[0]["id"].as_str().unwrap().to_owned();
    machine.run(&["promote", &id]).await.assert_refused(2, "is not ready");
    let canceled = machine.run(&["cancel", &id]).await;
    assert_eq!((canceled.exit_code, canceled.stdout.len()), (0, 0));
    assert_eq!(canceled.stderr, [format!("{id} is being canceled; `gitdeploy logs {id} -f` shows its end")]);
    let ended = Ran::of(deploy).await;
    assert_eq!(ended.exit_code, 4, "{ended:#?}");
    let again = machine.run(&["cancel", &id]).await;
    assert_eq!((again.exit_code, again.stderr), (0, vec![format!("{id} is canceled")]));
    machine.run(&["cancel", "nothing-like-it"]).await.assert_refused(2, "there is no deployment");
}
