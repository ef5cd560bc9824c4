//! `POST /v1/grants`.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use gitdeploy_core::{Grant, GrantKey, keys};
use gitdeploy_store::{Content, Put};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::{Platform, anonymous};

async fn key(platform: &Platform) -> GrantKey {
    let (_, bytes) = platform.store.read(&keys::grant_key(), 100).await.unwrap();
    GrantKey::read(&bytes).unwrap()
}

#[tokio::test]
async fn a_grant_is_for_the_host_and_lasts_minutes() {
    let platform = Platform::idle("").await;
    let answer = platform.post("/v1/grants", &json!({ "host": "Blog.Example.org." })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let view = answer.json();
    assert_eq!(view["host"], "blog.example.org");
    let now = Timestamp::now();
    let grant = Grant::read(view["grant"].as_str().unwrap(), now).expect("it is good now");
    assert!(key(&platform).await.has_sealed(&grant, "blog.example.org"));
    assert_eq!(view["until"], grant.until().to_string());
    assert!(grant.until() <= now + SignedDuration::from_mins(5));
}

#[tokio::test]
async fn the_key_is_made_once_and_again_when_it_was_removed_or_is_none() {
    let platform = Platform::idle("").await;
    let body = json!({ "host": "blog.example.org" });
    let ask = async || platform.post("/v1/grants", &body).await.status;
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!((first, second), (StatusCode::OK, StatusCode::OK));
    let made = key(&platform).await;
    assert_eq!(ask().await, StatusCode::OK);
    assert_eq!(key(&platform).await, made);
    platform.store.delete(&keys::grant_key()).await.unwrap();
    assert_eq!(ask().await, StatusCode::OK);
    let other = key(&platform).await;
    assert_ne!(other, made);
    let none = Content::Bytes("half a key".into());
    platform.store.put(&keys::grant_key(), none, Put::default()).await.unwrap();
    assert_eq!(ask().await, StatusCode::OK);
    assert_ne!(key(&platform).await, other);
}

#[tokio::test]
async fn what_is_no_host_is_refused_and_so_is_who_has_no_token() {
    let platform = Platform::idle("").await;
    for (body, status, code) in [
        (json!({ "host": "127.0.0.1" }), StatusCode::UNPROCESSABLE_ENTITY, "host"),
        (json!({ "host": "blog.localhost:8080" }), StatusCode::UNPROCESSABLE_ENTITY, "host"),
        (json!({}), StatusCode::BAD_REQUEST, "body"),
        (json!({ "host": "a.b", "minutes": 600 }), StatusCode::BAD_REQUEST, "body"),
    ] {
        let answer = platform.post("/v1/grants", &body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{body}");
    }
    let request = anonymous(Method::POST, "/v1/grants").body(Body::from(r#"{"host":"a.b"}"#)).unwrap();
    assert_eq!(platform.send(request).await.status, StatusCode::UNAUTHORIZED);
    assert!(platform.store.read(&keys::grant_key(), 100).await.is_err(), "nothing was made for any of them");
}
