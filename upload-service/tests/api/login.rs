use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, Platform, TOKEN, anonymous, request};

async fn open(platform: &Platform, path: &str) -> Answer {
    platform.send(anonymous(Method::GET, path).body(Body::empty()).unwrap()).await
}

async fn with_cookie(platform: &Platform, method: Method, path: &str, cookie: &str) -> Answer {
    platform.send(anonymous(method, path).header("cookie", cookie).body(Body::empty()).unwrap()).await
}

fn cookie(answer: &Answer) -> String {
    let value = answer.header("set-cookie").unwrap();
    assert!(value.ends_with("; HttpOnly; SameSite=Strict"), "{value}");
    value.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_link_opens_one_session() {
    let platform = Platform::idle("").await;
    let link = platform.post("/v1/login-links", &json!(null)).await.json();
    let url = link["url"].as_str().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:8081").unwrap();
    let looked = platform.send(anonymous(Method::HEAD, path).body(Body::empty()).unwrap()).await;
    assert_eq!((looked.status, looked.header("set-cookie")), (StatusCode::OK, None));
    let answer = open(&platform, path).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, Some("/")));
    let cookie = cookie(&answer);
    assert_eq!(with_cookie(&platform, Method::GET, "/", &cookie).await.status, StatusCode::OK);
    let listed = with_cookie(&platform, Method::GET, "/v1/deployments", &format!("a=b; {cookie}")).await;
    assert_eq!(listed.status, StatusCode::OK);
    let again = open(&platform, path).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.text.contains("was used already"), "{}", again.text);
    assert!(again.header("set-cookie").is_none());
}

#[tokio::test]
async fn the_token_opens_a_session_and_logging_out_ends_it() {
    let platform = Platform::idle("").await;
    let send = async |token: &str| {
        let request = anonymous(Method::POST, "/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", "http://127.0.0.1:8081");
        platform.send(request.body(Body::from(format!("token={token}"))).unwrap()).await
    };
    assert_eq!(send("wrong").await.status, StatusCode::FORBIDDEN);
    let cookie = cookie(&send(TOKEN).await);
    assert_eq!(with_cookie(&platform, Method::GET, "/", &cookie).await.status, StatusCode::OK);
    let out = with_cookie(&platform, Method::POST, "/logout", &cookie).await;
    assert_eq!(out.header("location"), Some("/login"));
    assert_eq!(with_cookie(&platform, Method::GET, "/", &cookie).await.header("location"), Some("/login"));
    let refused = with_cookie(&platform, Method::GET, "/v1/deployments", &cookie).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let platform = Platform::idle("").await;
    let code = platform.control.new_login_code().await.unwrap();
    let cookie = cookie(&open(&platform, &format!("/login?code={code}")).await);
    let id = platform.deploy("blog").await;
    let path = format!("/v1/deployments/{id}/cancel");
    assert_eq!(with_cookie(&platform, Method::POST, &path, &cookie).await.status, StatusCode::FORBIDDEN);
    let request =
        anonymous(Method::POST, &path).header("cookie", &cookie).header("sec-fetch-site", "same-origin");
    assert_eq!(platform.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_outlives_the_process() {
    let platform = Platform::idle("").await;
    let code = platform.control.new_login_code().await.unwrap();
    let cookie = cookie(&open(&platform, &format!("/login?code={code}")).await);
    let directory = platform.stop().await;
    let platform = Platform::open(directory, "", |_| ()).await;
    assert_eq!(with_cookie(&platform, Method::GET, "/", &cookie).await.status, StatusCode::OK);
    let forged = format!("{cookie}x");
    assert_eq!(with_cookie(&platform, Method::GET, "/", &forged).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn behind_tls_links_and_cookies_stay_there() {
    let platform = Platform::idle("").await;
    let over_tls = |request: axum::http::request::Builder| {
        platform.send(request.header("x-forwarded-proto", "https").body(Body::empty()).unwrap())
    };
    let link = over_tls(request(Method::POST, "/v1/login-links")).await.json();
    let path = link["url"].as_str().unwrap().strip_prefix("https://127.0.0.1:8081").unwrap().to_owned();
    let answer = over_tls(anonymous(Method::GET, &path)).await;
    assert!(answer.header("set-cookie").unwrap().ends_with("; SameSite=Strict; Secure"));
}
