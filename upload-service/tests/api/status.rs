//! What visitors are shown of builds that are not finished.

use gitdeploy_core::{BuildStatus, State, keys};
use gitdeploy_store::StoreError;
use url::Url;

use crate::support::{Platform, until};

async fn status(platform: &Platform, label: &str) -> Option<BuildStatus> {
    match platform.store.read(&keys::build_status(label).unwrap(), 1 << 16).await {
        Ok((_, bytes)) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(StoreError::NotFound(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_first_build_is_shown_at_both_hosts_until_it_is_published() {
    let platform = Platform::open(tempfile::tempdir().unwrap(), "meet go\npublish", |config| {
        config.public_url = Some(Url::parse("https://api.example/").unwrap());
    });
    let platform = platform.await.started();
    let id = platform.deploy("blog").await;
    let seen = until(async || status(&platform, "blog").await).await;
    assert_eq!((seen.state, &seen.deployment, &seen.cause), (State::Building, &id, &None));
    assert_eq!(seen.log.unwrap(), format!("https://api.example/deployments/{id}"));
    assert!(status(&platform, id.as_str()).await.is_some());
    platform.go("go");
    platform.final_view(&id).await;
    until(async || status(&platform, "blog").await.is_none().then_some(())).await;
    until(async || status(&platform, id.as_str()).await.is_none().then_some(())).await;
}

#[tokio::test]
async fn a_failed_build_is_told_at_its_own_host_and_not_at_one_that_has_a_site() {
    let script = r#"[ -e "$TMPDIR/second" ] || { publish; exit; }
event '"kind":"end","state":"failed","phase":"build","failure":{"code":"build.exit","cause":"the build command failed"}'"#;
    let platform = Platform::new(script).await;
    platform.final_view(&platform.deploy("blog").await).await;
    platform.go("second");
    let failed = platform.deploy("blog").await;
    assert_eq!(platform.final_view(&failed).await["state"], "failed");
    let told = until(async || {
        status(&platform, failed.as_str()).await.filter(|status| status.state == State::Failed)
    })
    .await;
    assert_eq!(told.cause.as_deref(), Some("the build command failed"));
    assert_eq!(told.log, None, "nobody said where the service is reached");
    assert_eq!(status(&platform, "blog").await, None);
}
