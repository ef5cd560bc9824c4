use axum::http::StatusCode;
use gitdeploy_core::keys;
use serde_json::json;

use crate::support::{Platform, until};

#[tokio::test]
async fn a_rollback_leads_back_and_a_promotion_forward_again() {
    let platform = Platform::new("publish").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = platform.deploy("blog").await;
        platform.in_state(&id, "ready").await;
        ids.push(id);
    }
    for back in [&ids[1], &ids[0]] {
        let answer = platform.post("/v1/projects/blog/rollback", &json!(null)).await;
        assert_eq!((answer.status, &answer.json()["id"]), (StatusCode::OK, &json!(back)));
        assert_eq!(answer.json()["production"], true);
        assert_eq!(platform.route("blog").await.unwrap().deployment, *back);
    }
    let answer = platform.post("/v1/projects/blog/rollback", &json!(null)).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (StatusCode::CONFLICT, &json!("project.no_predecessor"))
    );

    for _ in 0..2 {
        let answer = platform.post(&format!("/v1/deployments/{}/promote", ids[2]), &json!(null)).await;
        assert_eq!((answer.status, &answer.json()["production"]), (StatusCode::OK, &json!(true)));
        assert_eq!(platform.route("blog").await.unwrap().deployment, ids[2]);
    }
}

#[tokio::test]
async fn what_cannot_be_served_is_not_promoted() {
    let platform = Platform::new("publish").await;
    let first = platform.deploy("blog").await;
    platform.in_state(&first, "ready").await;
    let second = platform.deploy("blog").await;
    platform.in_state(&second, "ready").await;
    platform.store.delete(&keys::manifest(&first.clone().into())).await.unwrap();
    let answer = platform.post(&format!("/v1/deployments/{first}/promote"), &json!(null)).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::CONFLICT, &json!("deployment.gone")));
    let leads_to_second = async || (platform.route("blog").await?.deployment == second).then_some(());
    until(leads_to_second).await;

    let missing = platform.post("/v1/projects/nobody/rollback", &json!(null)).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let missing = platform.post("/v1/projects/No..Name/rollback", &json!(null)).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_deployment_that_failed_is_not_promoted() {
    let platform = Platform::new(
        r#"event '"kind":"end","state":"failed","failure":{"code":"build.exit","cause":"it exited with 1"}'"#,
    )
    .await;
    let id = platform.deploy("blog").await;
    platform.in_state(&id, "failed").await;
    let answer = platform.post(&format!("/v1/deployments/{id}/promote"), &json!(null)).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (StatusCode::CONFLICT, &json!("deployment.not_ready"))
    );
    assert!(platform.route("blog").await.is_none());
}
