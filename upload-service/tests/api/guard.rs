use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};

use crate::support::{Platform, TOKEN, anonymous, request};

#[tokio::test]
async fn without_a_token_nothing_is_told() {
    let platform = Platform::idle("").await;
    for path in ["/v1/deployments", "/v1/projects", "/v1/deployments/x/logs", "/v1/nothing"] {
        let answer = platform.send(anonymous(Method::GET, path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.json()["code"], "unauthorized");
    }
    for value in ["Bearer x", "Bearer", "Basic eDp5", &format!("Token {TOKEN}"), &format!("Bearer {TOKEN}x")]
    {
        let request = anonymous(Method::GET, "/v1/deployments").header(header::AUTHORIZATION, value);
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
    }
    let request =
        anonymous(Method::GET, "/v1/deployments").header("authorization", format!("bearer {TOKEN}"));
    assert_eq!(platform.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_foreign_host_is_refused_even_with_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let platform =
        Platform::open(directory, "", |config| config.hosts = vec!["deploy.example.org".to_owned()]).await;
    let check = async |host: Option<&str>, status: StatusCode| {
        let mut request =
            Request::builder().uri("/v1/deployments").header("authorization", format!("Bearer {TOKEN}"));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{host:?}: {}", answer.text);
    };
    check(Some("localhost:8081"), StatusCode::OK).await;
    check(Some("deploy.example.org"), StatusCode::OK).await;
    check(Some("evil.test:8081"), StatusCode::MISDIRECTED_REQUEST).await;
    check(Some("blog.localhost:8081"), StatusCode::MISDIRECTED_REQUEST).await;
    check(None, StatusCode::MISDIRECTED_REQUEST).await;
}

#[tokio::test]
async fn a_page_of_another_site_can_do_nothing() {
    let platform = Platform::idle("").await;
    let check = async |name: &str, value: &str, status: StatusCode| {
        let request = request(Method::POST, "/v1/login-links").header(name, value);
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    };
    check("origin", "http://127.0.0.1:8081", StatusCode::OK).await;
    check("origin", "http://blog.localhost:8080", StatusCode::FORBIDDEN).await;
    check("origin", "https://evil.test", StatusCode::FORBIDDEN).await;
    check("origin", "null", StatusCode::FORBIDDEN).await;
    check("sec-fetch-site", "same-origin", StatusCode::OK).await;
    check("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn answers_are_neither_stored_nor_sniffed() {
    let platform = Platform::idle("").await;
    let answer = platform.get("/v1/deployments").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let stranger = anonymous(Method::GET, "/v1/deployments").body(Body::empty()).unwrap();
    let foreign = request(Method::POST, "/v1/login-links").header("origin", "https://evil.test");
    for (request, status) in [(stranger, 401), (foreign.body(Body::empty()).unwrap(), 403)] {
        let answer = platform.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (status, Some("no-store")));
    }
}
