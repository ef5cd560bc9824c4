//! What is typed wrong, and a platform that is not there.

use crate::harness::{Machine, text};

#[tokio::test]
async fn what_is_typed_wrong_is_said_with_exit_code_2() {
    let machine = Machine::new();
    let site = machine.site("site", &[("index.html", "hi")]);
    for arguments in [&["deploy"][..], &["frobnicate"], &["logs"], &["deploy", "x", "--prebuilt", "y"]] {
        let ran = machine.run(arguments).await;
        assert_eq!(ran.exit_code, 2, "{ran:#?}");
    }
    let bad_name = machine.run(&["deploy", text(&site), "--project", "My_Site"]).await;
    assert_eq!(bad_name.exit_code, 2);
    assert!(bad_name.stderr.join(" ").contains("only `a-z`, `0-9` and `-` may stand in it"), "{bad_name:#?}");

    machine.run(&["deploy", "nowhere"]).await.assert_refused(2, "neither a directory nor the address");
    machine.run(&["deploy", "./nowhere"]).await.assert_refused(2, "there is no directory `./nowhere`");
    machine.run(&["up", "./nowhere"]).await.assert_refused(2, "there is no directory `./nowhere`");
    machine
        .run(&["deploy", "--prebuilt", "nowhere"])
        .await
        .assert_refused(2, "there is no directory `nowhere`");
    machine.run(&["list"]).await.assert_refused(2, "there is no token in");

    let _up = machine.up(&[]).await;
    machine
        .run(&["deploy", text(&site), "--ref", "main"])
        .await
        .assert_refused(2, "`--ref` goes with a git URL");
    let unborn = gitdeploy_test::git::Repository::new();
    machine.run(&["deploy", text(unborn.path())]).await.assert_refused(2, "has no commit");
    machine.run(&["logs", "nothing"]).await.assert_refused(2, "nothing");
    machine.run(&["open", "nothing", "--print"]).await.assert_refused(2, "nothing");
    machine.run(&["deploy", "https://me:secret@host/r"]).await.assert_refused(2, "cannot be cloned");
    machine.run(&["list", "--token", "gd_admin_wrong_token"]).await.assert_refused(2, "token");
    assert!(machine.list().await.is_empty(), "what was refused left something behind");
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_said_with_exit_code_3() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    assert_eq!(up.interrupt().await, 0);
    machine.run(&["list"]).await.assert_refused(3, "no platform answers at http://127.0.0.1:");
    machine
        .run(&["logs", "x", "--api", "http://127.0.0.1:1"])
        .await
        .assert_refused(3, "start it with `gitdeploy up`");
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let machine = Machine::new();
    for variable in
        ["GITDEPLOY_API_BUILDS_AT_ONCE", "GITDEPLOY_PROXY_CACHE_BYTES", "GITDEPLOY_STORE_PATH_STYLE"]
    {
        let program = machine.up_program(&[]).var(variable, "many");
        crate::harness::Ran::of(program.start()).await.assert_refused(2, variable);
    }
}
