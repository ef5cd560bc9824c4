use insta::assert_json_snapshot;
use serde_json::json;

use crate::support::Platform;

#[tokio::test]
async fn a_build_that_publishes_is_ready_and_in_production() {
    let platform = Platform::new(
        r#"
        phase clone
        event '"kind":"plan","decisions":[{"name":"commit","value":"9f3c1e2","because":"it is the head of main"}]'
        phase build
        log "building $GIT_REPOSITORY_URL"
        publish
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    assert_json_snapshot!(view, {
        ".id" => "[id]", ".url" => "[url]", ".created" => "[time]", ".started" => "[time]", ".finished" => "[time]",
    }, @r#"
    {
      "attempt": 1,
      "bytes": 5,
      "created": "[time]",
      "files": 1,
      "finished": "[time]",
      "id": "[id]",
      "phase": null,
      "production": true,
      "production_url": "http://blog.localhost:8080/",
      "project": "blog",
      "source": {
        "commit": "9f3c1e2",
        "kind": "git",
        "message": "Fix nav",
        "reference": "main",
        "repository": "https://host/blog"
      },
      "started": "[time]",
      "state": "ready",
      "target": "production",
      "url": "[url]"
    }
    "#);
    let log = platform.whole_log(&id).await;
    assert_eq!(
        log,
        [
            "--- clone",
            "commit: 9f3c1e2 (it is the head of main)",
            "--- build",
            "building https://host/blog",
            "--- upload",
            "--- ready"
        ]
    );
    assert_eq!(platform.route("blog").await.unwrap().deployment, id);
}

#[tokio::test]
async fn a_build_shows_what_it_does() {
    let platform = Platform::new(
        r#"
        phase boot; meet one
        phase clone; event '"kind":"plan","decisions":[{"name":"commit","value":"abc","because":"x"}]'; meet two
        phase upload; meet three
        publish
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    platform.in_state(&id, "starting").await;
    platform.go("one");
    platform.in_state(&id, "building").await;
    let path = format!("/v1/deployments/{id}");
    crate::support::until(async || {
        let view = platform.get(&path).await.json();
        (view["source"]["commit"] == "abc" && view["phase"] == "clone").then_some(())
    })
    .await;
    platform.go("two");
    platform.in_state(&id, "publishing").await;
    platform.go("three");
    platform.in_state(&id, "ready").await;
}

#[tokio::test]
async fn a_build_that_fails_says_why() {
    let platform = Platform::new(
        r#"
        phase build
        log "error: no such module"
        event '"kind":"end","state":"failed","phase":"build","failure":{"code":"build.exit","cause":"the build command exited with 2","fix":"mend it","hint":"it is known"}'
        exit 1
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "failed");
    assert_eq!(view["phase"], "build");
    assert_eq!(
        view["failure"],
        json!({ "code": "build.exit", "cause": "the build command exited with 2", "fix": "mend it", "hint": "it is known" })
    );
    assert_eq!(platform.whole_log(&id).await.last().unwrap(), "fix: mend it");
    assert!(platform.route("blog").await.is_none());
}

#[tokio::test]
async fn a_builder_that_dies_without_a_word_is_lost() {
    let platform = Platform::new(
        r#"
        phase build
        log "so far so good"
        echo "out of memory, perhaps" >&2
        kill -9 $$
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "lost");
    assert_eq!(view["phase"], "build");
    assert_eq!(view["failure"]["code"], "builder.lost");
    assert_eq!(
        view["failure"]["cause"],
        "the builder ended without a word: signal 9 (SIGKILL); the last thing it said was `out of memory, perhaps`"
    );
    let log = platform.whole_log(&id).await;
    assert_eq!(log[..2], ["--- build", "so far so good"]);
    assert!(log[2].starts_with("--- lost: the builder ended without a word"), "{log:?}");
}

#[tokio::test]
async fn last_words_without_end_are_cut() {
    let platform = Platform::new("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1").await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    let cause = view["failure"]["cause"].as_str().unwrap();
    assert!(cause.contains("the last thing it said was `xxx") && cause.len() < 10_000, "{}", cause.len());
}

#[tokio::test]
async fn a_builder_that_dies_after_its_manifest_has_published() {
    let platform = Platform::new("phase upload; manifest; kill -KILL $$").await;
    let id = platform.deploy("blog").await;
    let deployment = platform.final_view(&id).await;
    assert_eq!(
        (&deployment["state"], &deployment["production"]),
        (&"ready".into(), &true.into()),
        "{deployment}"
    );
}

#[tokio::test]
async fn a_builder_that_exits_without_an_end_is_lost_with_its_exit_code() {
    let platform = Platform::new("exit 75").await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    assert_eq!(view["failure"]["cause"], "the builder ended without a word: exit code 75");
}

#[tokio::test]
async fn garbage_between_events_does_no_harm() {
    let platform = Platform::new(
        r#"
        echo "npm WARN something"
        phase build
        head -c 300000 /dev/urandom
        echo
        echo '{"seq":"two"}'
        printf '\xff\xfe\n\n'
        log "still here"
        publish
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    assert_eq!(platform.final_view(&id).await["state"], "ready");
    assert_eq!(platform.whole_log(&id).await, ["--- build", "still here", "--- upload", "--- ready"]);
}

#[tokio::test]
async fn a_builder_that_lies_about_publishing_is_not_believed() {
    let platform = Platform::new(r#"event '"kind":"end","state":"ready","files":1,"bytes":5'"#).await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "lost");
    assert_eq!(view["failure"]["code"], "builder.lost");
    assert!(platform.route("blog").await.is_none());
}

#[tokio::test]
async fn a_builder_that_cannot_be_started_fails_the_deployment() {
    use gitdeploy_bus::EventBus;
    use gitdeploy_store::ObjectStore;
    use upload_service::{Config, Control, Launcher};
    let directory = tempfile::tempdir().unwrap();
    let config = Config { data_directory: directory.path().join("data"), ..Config::default() };
    let launcher = Launcher::process("/nowhere/build-server", Vec::new(), &Vec::new());
    let stopping = tokio_util::sync::CancellationToken::new();
    let control = Control::open(
        config,
        upload_service::Parts::new(ObjectStore::memory(), EventBus::memory(), launcher),
        stopping.clone(),
    )
    .await
    .unwrap();
    let id = deploy(&control).await;
    let builds = tokio::spawn({
        let control = control.clone();
        async move { control.run_builds().await }
    });
    let deployment = crate::support::until(async || {
        let deployment = control.catalog().get(&id).await.unwrap().unwrap();
        deployment.state.is_final().then_some(deployment)
    })
    .await;
    assert_eq!(deployment.state.as_str(), "failed");
    let cause = deployment.failure.unwrap().cause;
    assert!(cause.starts_with("the builder `/nowhere/build-server` cannot be started: "), "{cause}");
    stopping.cancel();
    builds.await.unwrap();
}

#[tokio::test]
async fn only_a_few_builds_run_at_once_and_one_of_a_project() {
    let platform =
        Platform::new(r#"touch "$TMPDIR/started-$PROJECT_ID-$DEPLOYMENT_ID"; meet "$PROJECT_ID"; publish"#)
            .await;
    let first = platform.deploy("a").await;
    let second = platform.deploy("a").await;
    let other = platform.deploy("b").await;
    let third = platform.deploy("c").await;
    // Two at once: the first of `a` and that of `b`, which overtakes the second of `a`.
    platform.met(&format!("started-a-{first}")).await;
    platform.met(&format!("started-b-{other}")).await;
    for waiting in [&second, &third] {
        assert_eq!(platform.get(&format!("/v1/deployments/{waiting}")).await.json()["state"], "queued");
    }
    platform.go("b");
    platform.met(&format!("started-c-{third}")).await;
    assert_eq!(platform.get(&format!("/v1/deployments/{second}")).await.json()["state"], "queued");
    platform.go("a");
    platform.go("c");
    for id in [&first, &second, &other, &third] {
        platform.whole_log(id).await;
        assert_eq!(platform.final_view(id).await["state"], "ready");
    }
    assert_eq!(platform.route("a").await.unwrap().deployment, second);
}

#[tokio::test]
async fn a_builder_is_told_what_to_build_and_nothing_else() {
    let platform = Platform::new(r#"env | cut -d= -f1 | sort | grep -vE '^(_|PWD|SHLVL|OLDPWD)$' > "$TMPDIR/part"; mv "$TMPDIR/part" "$TMPDIR/names"; publish"#).await;
    let id = platform.deploy("blog").await;
    platform.final_view(&id).await;
    let names = std::fs::read_to_string(platform.directory.path().join("meet/names")).unwrap();
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [
            "DEPLOYMENT_ID",
            "DEPLOYMENT_URL",
            "GITDEPLOY_ATTEMPT",
            "GITDEPLOY_BUILD_LAUNCHER",
            "GITDEPLOY_STORE_DIRECTORY",
            "GIT_REPOSITORY_URL",
            "PATH",
            "PROJECT_ID",
            "TMPDIR"
        ]
    );
}

async fn deploy(control: &upload_service::Control) -> gitdeploy_core::DeploymentId {
    use upload_service::catalog::{NewDeployment, SourceKind, Target};
    let created = jiff::Timestamp::now();
    let new = NewDeployment {
        id: gitdeploy_core::DeploymentId::new(created, 0),
        project: "blog".parse().unwrap(),
        target: Target::Production,
        source: SourceKind::Git,
        origin: gitdeploy_core::manifest::Origin::default(),
        settings: gitdeploy_core::spec::BuildSettings::default(),
        created,
    };
    control.deploy(new).await.unwrap().id
}
