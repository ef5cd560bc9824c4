//! A failure whose message is known is explained, with the real tools' own messages.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::Repository;

use crate::harness::Builder;

#[tokio::test]
async fn a_tool_that_is_not_in_the_dependencies_is_named() {
    let package = r#"{"name":"site","private":true,"scripts":{"build":"vite build"}}"#;
    let lockfile = r#"{"name":"site","lockfileVersion":3,"requires":true,"packages":{"":{"name":"site"}}}"#;
    let repository =
        Repository::new().file("package.json", package).file("package-lock.json", lockfile).commit("First");
    let built = Builder::new().await.build(&repository, &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildExit);
    let failure = built.end().failure.as_ref().unwrap();
    assert_eq!(failure.hint.as_deref(), Some("the command `vite` is not there"));
    assert!(failure.fix.as_ref().unwrap().contains("dependencies"), "{failure:?}");
}

#[tokio::test]
async fn a_command_that_serves_and_never_ends_is_told_from_one_that_is_slow() {
    let builder = Builder::new().await;
    let script = "echo '  ➜  Local:   http://localhost:5173/'; sleep 600";
    let built = builder.build_script(script, &[("GITDEPLOY_BUILD_SILENT_SECONDS", "1")]).await;
    built.assert_failed(1, Outcome::TimedOut, FailureCode::BuildSilent);
    let hint = built.end().failure.as_ref().unwrap().hint.as_deref();
    assert_eq!(hint, Some("the command serves or watches, and does not end"));
}

#[tokio::test]
async fn the_heap_limit_of_node_is_told_from_other_exits() {
    let builder = Builder::new().await;
    let script = "node --max-old-space-size=16 -e 'let a=[];while(1)a.push(new Array(1000).fill(1))'";
    let built = builder.build_script(script, &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildMemory);
    assert!(built.end().failure.as_ref().unwrap().hint.as_ref().unwrap().contains("memory"));
}

#[tokio::test]
async fn what_the_message_of_one_phase_means_is_no_hint_for_another() {
    let builder = Builder::new().await;
    let vars = [
        ("GITDEPLOY_BUILD_INSTALL", "echo 'npm error code ERESOLVE'"),
        ("GITDEPLOY_BUILD_COMMAND", "echo nothing that anybody knows; exit 3"),
    ];
    let built = builder.build(&Repository::new().file("a", "b").commit("First"), &vars).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildExit);
    assert_eq!(built.end().exit_code, Some(3));
    assert_eq!(built.end().failure.as_ref().unwrap().hint, None);
}
