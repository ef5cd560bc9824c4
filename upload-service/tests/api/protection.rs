use std::future;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use futures_util::StreamExt as _;
use gitdeploy_bus::{BusConfig, EventBus, RouteNews};
use gitdeploy_core::keys;
use gitdeploy_store::{Content, Put};
use gitdeploy_test::redis::RedisServer;
use serde_json::{Value, json};

use crate::support::{Answer, PATIENCE, Platform, anonymous, request, until};

const PATH: &str = "/v1/projects/blog/protection";

async fn change(platform: &Platform, path: &str, body: &Value) -> Answer {
    let request = request(Method::PATCH, path).header(header::CONTENT_TYPE, "application/json");
    platform.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// A platform with a project that is deployed.
async fn deployed() -> Platform {
    with_a_deployment(Platform::new("publish").await).await
}

async fn with_a_deployment(platform: Platform) -> Platform {
    let id = platform.deploy("blog").await;
    platform.final_view(&id).await;
    platform.whole_log(&id).await;
    platform
}

#[tokio::test]
async fn what_is_not_said_stays() {
    let platform = deployed().await;
    assert_eq!(platform.get(PATH).await.json(), json!({ "maintenance": false, "password": false }));
    for (said, maintenance, password) in [
        (json!({ "password": "correct horse" }), false, true),
        (json!({ "maintenance": true }), true, true),
        (json!({}), true, true),
        (json!({ "maintenance": false }), false, true),
        (json!({ "maintenance": true, "password": null }), true, false),
        (json!({ "maintenance": false }), false, false),
    ] {
        let answer = change(&platform, PATH, &said).await;
        assert_eq!(answer.status, StatusCode::OK, "{said}: {}", answer.text);
        let expected = json!({ "maintenance": maintenance, "password": password });
        assert_eq!(answer.json(), expected, "{said}");
        assert_eq!(platform.get(PATH).await.json(), expected, "{said}");
    }
}

#[tokio::test]
async fn the_route_has_a_hash_and_proxies_are_told() {
    let platform = deployed().await;
    let before = platform.route("blog").await.unwrap();
    let news = platform.control.bus().follow_routes();
    change(&platform, PATH, &json!({ "password": "correct horse" })).await;
    let mut news = news.skip_while(|news| future::ready(*news == RouteNews::Listening));
    let moved = tokio::time::timeout(PATIENCE, news.next()).await.expect("there is news");
    assert_eq!(moved, Some(RouteNews::Moved("blog".to_owned())));

    let route = platform.route("blog").await.unwrap();
    let password = route.protection.password.clone().unwrap();
    assert!(password.is("correct horse"));
    let (_, bytes) = platform.store.read(&keys::route("blog").unwrap(), 10_000).await.unwrap();
    assert!(!String::from_utf8(bytes.to_vec()).unwrap().contains("horse"));
    assert_eq!(
        (route.deployment, route.moved),
        (before.deployment, before.moved),
        "nothing else has changed"
    );

    change(&platform, PATH, &json!({ "password": "correct horse" })).await;
    let again = platform.route("blog").await.unwrap().protection.password.unwrap();
    assert!(again.is("correct horse") && again != password, "who is in has to give it anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_proxies_cannot_be_told_now_they_are_told_later() {
    let redis = RedisServer::start();
    let bus = EventBus::open(&BusConfig { redis_url: Some(redis.url().into()) }).await.unwrap();
    let mut proxy = redis.subscribe("routes");
    let mut looks_again = move || while proxy.next(PATIENCE).expect("there is news") != "*" {};
    let platform = with_a_deployment(Platform::with_bus(bus, "publish").await.started()).await;
    looks_again();
    // Whoever listens goes on listening, and does not take this for an outage.
    redis.command(&["ACL", "SETUSER", "default", "-publish"]);
    let answer = change(&platform, PATH, &json!({ "maintenance": true })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    redis.command(&["ACL", "SETUSER", "default", "+publish"]);
    looks_again();
}

#[tokio::test]
async fn what_comes_later_is_protected_too() {
    let platform = deployed().await;
    let first = platform.route("blog").await.unwrap().deployment;
    change(&platform, PATH, &json!({ "maintenance": true, "password": "correct horse" })).await;
    let protection = platform.route("blog").await.unwrap().protection;
    assert!(!protection.is_open());

    let second = platform.deploy("blog").await;
    platform.final_view(&second).await;
    let route = until(async || platform.route("blog").await.filter(|route| route.deployment == second)).await;
    assert_eq!(route.protection, protection);
    platform.post("/v1/projects/blog/rollback", &json!(null)).await;
    let route = platform.route("blog").await.unwrap();
    assert_eq!((route.deployment, &route.protection), (first, &protection));
    platform.post(&format!("/v1/deployments/{second}/promote"), &json!(null)).await;
    let route = platform.route("blog").await.unwrap();
    assert_eq!((route.deployment, route.protection), (second, protection));
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_made() {
    let platform = deployed().await;
    let first = platform.route("blog").await.unwrap().deployment;
    let second = platform.deploy("blog").await;
    platform.final_view(&second).await;
    platform.whole_log(&second).await;
    let promote = format!("/v1/deployments/{first}/promote");
    let (nothing, password, closed) =
        (json!(null), json!({ "password": "correct horse" }), json!({ "maintenance": true }));
    tokio::join!(
        platform.post(&promote, &nothing),
        change(&platform, PATH, &password),
        change(&platform, PATH, &closed),
    );
    let route = platform.route("blog").await.unwrap();
    assert_eq!(route.deployment, first);
    assert!(route.protection.maintenance && route.protection.password.unwrap().is("correct horse"));
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let platform = deployed().await;
    for (path, said, status, code) in [
        ("/v1/projects/nobody/protection", json!({ "maintenance": true }), 404, "not_found"),
        ("/v1/projects/No..Name/protection", json!({ "maintenance": true }), 404, "not_found"),
        (PATH, json!({ "password": "short" }), 422, "protection.password"),
        (PATH, json!({ "password": "x".repeat(1025) }), 422, "protection.password"),
        (PATH, json!({ "password": 12_345_678 }), 400, "body"),
        (PATH, json!({ "pasword": "correct horse" }), 400, "body"),
    ] {
        let answer = change(&platform, path, &said).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{said}");
        assert!(!answer.text.contains("correct horse") && !answer.text.contains("xxxx"), "{}", answer.text);
    }
    let stranger = anonymous(Method::PATCH, PATH).body(Body::from(r#"{"password":null}"#)).unwrap();
    assert_eq!(platform.send(stranger).await.status, StatusCode::UNAUTHORIZED);
    let foreign = request(Method::PATCH, PATH).header("origin", "http://blog.localhost:8080");
    let foreign = platform.send(foreign.body(Body::from(r#"{"password":null}"#)).unwrap()).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert!(platform.route("blog").await.unwrap().protection.is_open());
}

#[tokio::test]
async fn a_route_that_is_written_anew_opens_no_site() {
    let platform = deployed().await;
    change(&platform, PATH, &json!({ "password": "correct horse" })).await;
    let route = platform.route("blog").await.unwrap();
    let (text, key) = (serde_json::to_string(&route).unwrap(), keys::route("blog").unwrap());
    let odd = text.replace("\"version\":1", "\"version\":\"one\"");
    assert_ne!(odd, text);
    platform.store.put(&key, Content::Bytes(odd.into()), Put::default()).await.unwrap();
    let directory = platform.stop().await;

    let platform = Platform::open(directory, "", |_| ()).await.started();
    let is_read = async || {
        let (_, bytes) = platform.store.read(&key, 10_000).await.unwrap();
        serde_json::from_slice::<gitdeploy_core::Route>(&bytes).ok()
    };
    assert_eq!(until(is_read).await.protection, route.protection);
    platform.store.put(&key, Content::Bytes("garbage".into()), Put::default()).await.unwrap();
    let directory = platform.stop().await;

    let platform = Platform::open(directory, "", |_| ()).await.started();
    let is_read = async || {
        let (_, bytes) = platform.store.read(&key, 10_000).await.unwrap();
        serde_json::from_slice::<gitdeploy_core::Route>(&bytes).ok()
    };
    assert!(until(is_read).await.protection.maintenance, "nobody sees what may have had a password");
}
