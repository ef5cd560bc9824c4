use gitdeploy_store::{ObjectStore, S3Access, StoreConfig};
use gitdeploy_test::s3::{Fault, Operation, S3Server};

use crate::support::Platform;

async fn on(server: &S3Server, script: &str) -> Platform {
    let vars = server.vars();
    let value = |name: &str| vars.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let access = S3Access {
        endpoint_url_s3: Some(server.endpoint()),
        region: Some(value("AWS_REGION")),
        access_key_id: value("AWS_ACCESS_KEY_ID"),
        secret_access_key: value("AWS_SECRET_ACCESS_KEY").into(),
        session_token: None,
    };
    let config = StoreConfig {
        bucket: Some(server.bucket().to_owned()),
        path_style: true,
        access: Some(access),
        ..StoreConfig::default()
    };
    let store = ObjectStore::open(&config).await.unwrap();
    Platform::with_store(tempfile::tempdir().unwrap(), store, script, |_| ()).await.started()
}

#[tokio::test]
async fn a_builder_that_dies_is_lost_where_the_store_refuses_what_is_missing() {
    let server = S3Server::start().await.unwrap();
    server.fail(Operation::GetObject, Fault::Status(403), usize::MAX);
    let platform = on(&server, "exit 1").await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "lost");
    assert_eq!(view["failure"]["cause"], "the builder ended without a word: exit code 1");
}

#[tokio::test]
async fn a_store_that_refuses_the_manifest_fails_the_deployment() {
    let server = S3Server::start().await.unwrap();
    server.fail(Operation::GetObject, Fault::Status(403), usize::MAX);
    let platform = on(&server, r#"event '"kind":"end","state":"ready","files":1,"bytes":5'"#).await;
    let id = platform.deploy("blog").await;
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "failed");
    assert_eq!(view["failure"]["code"], "store.unavailable");
    let cause = view["failure"]["cause"].as_str().unwrap();
    assert!(
        cause.starts_with(&format!("the manifest cannot be read: the store refuses `__manifests/{id}.json`")),
        "{cause}"
    );
}

#[tokio::test]
async fn a_deployment_that_was_published_while_the_store_is_away_is_ready_once_it_is_back() {
    let server = S3Server::start().await.unwrap();
    let platform =
        on(&server, r#"meet away; event '"kind":"end","state":"ready","files":1,"bytes":5'"#).await;
    let id = platform.deploy("blog").await;
    platform.in_state(&id, "starting").await;
    server.stop().await;
    platform.go("away");
    crate::support::until(async || {
        let log = platform.get(&format!("/v1/deployments/{id}/logs")).await.text;
        log.contains("--- ready").then_some(())
    })
    .await;
    let manifest = r#"{"version":1,"id":"ID","attempt":1,"files":{},"origin":{},"builder":"x","started":1,"finished":2}"#;
    server.insert(&format!("__manifests/{id}.json"), manifest.replace("ID", id.as_str()), None);
    server.resume().await.unwrap();
    assert_eq!(platform.final_view(&id).await["state"], "ready");
}
