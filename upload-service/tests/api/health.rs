use axum::body::Body;
use axum::http::{Request, StatusCode};

use crate::support::{Answer, Platform};

async fn ask(platform: &Platform, path: &str) -> Answer {
    // As a load balancer asks: under an address, without a token.
    let request = Request::builder().uri(path).header("host", "10.0.0.7");
    platform.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn health_is_told_to_everybody() {
    let platform = Platform::idle("").await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(&platform, path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(ask(&platform, "/version").await.json()["name"], "upload-service");
}

#[tokio::test]
async fn a_service_whose_store_is_away_is_not_ready() {
    let platform = Platform::idle("").await;
    std::fs::remove_dir_all(platform.directory.path().join("store")).unwrap();
    let answer = ask(&platform, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(ask(&platform, "/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_service_that_stops_is_not_ready_and_takes_nothing() {
    let platform = Platform::idle("").await;
    platform.stopping.cancel();
    assert_eq!(ask(&platform, "/readyz").await.json()["code"], "stopping");
    let answer = platform.post("/v1/deployments", &serde_json::json!({ "git": "https://host/blog" })).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
