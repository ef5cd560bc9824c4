use upload_service::catalog::Deployment;

use crate::support::{Platform, until};

const HANGS: &str = r#"phase build; log "working"; touch "$TMPDIR/running"; while :; do sleep 0.05; done"#;

#[tokio::test]
async fn what_was_being_built_when_the_service_died_is_lost() {
    let platform = Platform::new(HANGS).await;
    let id = platform.deploy("blog").await;
    let waiting = platform.deploy("blog").await;
    platform.in_state(&id, "building").await;
    let directory = platform.kill().await;

    let platform = Platform::open(directory, "publish", |_| ()).await.started();
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "lost");
    assert_eq!(view["failure"]["cause"], "the service was stopped while it was building");
    let log = platform.whole_log(&id).await;
    assert_eq!(log.last().unwrap(), "fix: deploy again");
    assert_eq!(platform.final_view(&waiting).await["state"], "ready");
}

#[tokio::test]
async fn what_was_published_in_the_last_moment_is_ready() {
    let platform =
        Platform::new(r#"phase upload; manifest; touch "$TMPDIR/running"; while :; do sleep 0.05; done"#)
            .await;
    let id = platform.deploy("blog").await;
    platform.met("running").await;
    let directory = platform.kill().await;

    let platform = Platform::open(directory, "publish", |_| ()).await.started();
    let view = platform.final_view(&id).await;
    assert_eq!((view["state"].as_str(), view["production"].as_bool()), (Some("ready"), Some(true)));
    until(async || platform.route("blog").await.filter(|route| route.deployment == id)).await;
    assert_eq!(platform.whole_log(&id).await, ["--- ready"]);
}

#[tokio::test]
async fn what_was_published_is_ready_even_if_the_service_stops_while_the_store_is_away() {
    // A directory that cannot be opened, by nobody: a link to itself.
    let script = r#"
        phase upload; manifest
        cd "$GITDEPLOY_STORE_DIRECTORY"
        mv __manifests away && ln -s __manifests __manifests
        event '"kind":"end","state":"ready","files":1,"bytes":5'
    "#;
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::open(directory, script, |config| config.grace_seconds = 2).await.started();
    let id = platform.deploy("blog").await;
    until(async || {
        let log = platform.get(&format!("/v1/deployments/{id}/logs")).await.text;
        log.contains("--- ready").then_some(())
    })
    .await;
    let control = platform.control.clone();
    let directory = platform.stop().await;
    let left = control.catalog().get(&id).await.unwrap().unwrap();
    assert_eq!(left.state.as_str(), "publishing");
    drop(control);

    // A process that is stopped at once leaves it too.
    let platform = Platform::open(directory, "", |config| config.grace_seconds = 2).await.started();
    let control = platform.control.clone();
    let directory = platform.stop().await;
    let left = Deployment { lease: None, ..left };
    assert_eq!(control.catalog().get(&id).await.unwrap().unwrap(), left);
    drop(control);

    let store = directory.path().join("store");
    std::fs::remove_file(store.join("__manifests")).unwrap();
    std::fs::rename(store.join("away"), store.join("__manifests")).unwrap();
    let platform = Platform::open(directory, "", |_| ()).await.started();
    let view = platform.final_view(&id).await;
    assert_eq!((view["state"].as_str(), view["production"].as_bool()), (Some("ready"), Some(true)));
    until(async || platform.route("blog").await.filter(|route| route.deployment == id)).await;
}

#[tokio::test]
async fn a_service_that_stops_tells_its_builders_and_waits() {
    let script = r#"
        bye() { event '"kind":"end","state":"canceled","failure":{"code":"canceled","cause":"told to stop"}'; exit 130; }
        trap bye TERM
        touch "$TMPDIR/running"
        while :; do sleep 0.02; done
    "#;
    let platform = Platform::new(script).await;
    let id = platform.deploy("blog").await;
    let waiting = platform.deploy("blog").await;
    platform.met("running").await;
    let control = platform.control.clone();
    let directory = platform.stop().await;
    let state = async |id| control.catalog().get(id).await.unwrap().unwrap().state.to_string();
    assert_eq!(state(&id).await, "canceled");
    assert_eq!(state(&waiting).await, "queued");
    drop(control);

    let platform = Platform::open(directory, "publish", |_| ()).await.started();
    assert_eq!(platform.final_view(&waiting).await["state"], "ready");
}

#[tokio::test]
async fn everything_is_still_there_after_a_restart() {
    let platform = Platform::new(r#"log "hello"; publish"#).await;
    let id = platform.deploy("blog").await;
    let before = platform.final_view(&id).await;
    let log = platform.whole_log(&id).await;
    let directory = platform.stop().await;
    let platform = Platform::open(directory, "", |_| ()).await;
    assert_eq!(platform.get(&format!("/v1/deployments/{id}")).await.json(), before);
    // The stand-in writes no archive, and the bus was in memory.
    assert_eq!(log, ["hello", "--- upload", "--- ready"]);
    assert_eq!(platform.whole_log(&id).await, Vec::<String>::new());
    let later = platform.deploy("blog").await;
    assert!(later > id);
}
