use axum::http::StatusCode;
use serde_json::json;

use crate::support::Platform;

#[tokio::test]
async fn a_deployment_that_waits_is_canceled_at_once() {
    let platform = Platform::idle("").await;
    let id = platform.deploy("blog").await;
    let answer = platform.post(&format!("/v1/deployments/{id}/cancel"), &json!(null)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["state"], "canceled");
    assert_eq!(platform.whole_log(&id).await, ["--- canceled: the deployment was canceled"]);
    let again = platform.post(&format!("/v1/deployments/{id}/cancel"), &json!(null)).await;
    assert_eq!((again.status, again.json()["state"].as_str()), (StatusCode::OK, Some("canceled")));
}

#[tokio::test]
async fn a_build_that_is_canceled_says_its_end_itself() {
    let platform = Platform::new(
        r#"
        bye() { event '"kind":"end","state":"canceled","failure":{"code":"canceled","cause":"it was told to stop"}'; exit 130; }
        trap bye TERM
        phase build
        touch "$TMPDIR/running"
        while :; do sleep 0.02; done
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    platform.met("running").await;
    let answer = platform.post(&format!("/v1/deployments/{id}/cancel"), &json!(null)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "canceled");
    assert_eq!(view["failure"]["cause"], "it was told to stop");
}

#[tokio::test]
async fn the_end_of_its_input_tells_a_builder_to_stop() {
    let platform = Platform::new(
        r#"
        trap '' TERM
        touch "$TMPDIR/running"
        cat > /dev/null
        event '"kind":"end","state":"canceled","failure":{"code":"canceled","cause":"the launcher is gone"}'
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    platform.met("running").await;
    platform.post(&format!("/v1/deployments/{id}/cancel"), &json!(null)).await;
    assert_eq!(platform.final_view(&id).await["failure"]["cause"], "the launcher is gone");
}

#[tokio::test]
async fn a_builder_that_does_not_listen_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let script = r#"trap '' TERM; touch "$TMPDIR/running"; while :; do sleep 0.05; done"#;
    let platform = Platform::open(directory, script, |config| config.grace_seconds = 4).await.started();
    let id = platform.deploy("blog").await;
    platform.met("running").await;
    let control = platform.control.clone();
    let directory = platform.stop().await;
    let deployment = control.catalog().get(&id).await.unwrap().unwrap();
    assert_eq!(deployment.state.as_str(), "lost");
    assert_eq!(deployment.failure.unwrap().cause, "the service was stopped while it was building");
    drop(directory);
}
