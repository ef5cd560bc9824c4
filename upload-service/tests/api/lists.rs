use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Platform, request};

#[tokio::test]
async fn lists_are_newest_first_and_go_on_where_they_end() {
    let platform = Platform::idle("").await;
    let mut ids = Vec::new();
    for project in ["a", "b", "a", "b", "a"] {
        ids.insert(0, platform.deploy(project).await.to_string());
    }
    let mut seen = Vec::new();
    let mut path = "/v1/deployments?limit=2".to_owned();
    loop {
        let page = platform.get(&path).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        // What is added meanwhile is newer than every part that is still to come.
        platform.deploy("c").await;
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/deployments?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let of_b = platform.get("/v1/deployments?project=b&state=queued").await.json();
    assert_eq!(of_b["items"].as_array().unwrap().len(), 2);
    assert_eq!(of_b["next"], json!(null));
    assert_eq!(platform.get("/v1/deployments?state=ready").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_list_refuses_what_it_does_not_know() {
    let platform = Platform::idle("").await;
    for (query, code) in [
        ("limit=0", "query.limit"),
        ("limit=1000", "query.limit"),
        ("limit=many", "query"),
        ("state=done", "query.state"),
        ("project=A", "project.name"),
        ("after=x", "query.after"),
        ("sort=age", "query"),
    ] {
        let answer = platform.get(&format!("/v1/deployments?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(answer.json()["code"], code, "{query}");
    }
}

#[tokio::test]
async fn a_deployment_is_found_by_the_start_of_its_id() {
    let platform = Platform::idle("").await;
    let id = platform.deploy("a").await.to_string();
    let by_prefix = platform.get(&format!("/v1/deployments/{}", &id[..12])).await;
    assert_eq!(by_prefix.json()["id"], *id);
    platform.deploy("b").await;
    let ambiguous = platform.get(&format!("/v1/deployments/{}", &id[..4])).await;
    assert_eq!(ambiguous.json()["code"], "deployment.ambiguous");
    for unknown in ["0000", "00000000000000000000", "id", "%27--"] {
        let answer = platform.get(&format!("/v1/deployments/{unknown}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{unknown}");
        assert_eq!(answer.json()["code"], "not_found");
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let platform = Platform::idle("").await;
    assert_eq!(platform.get("/v1/nothing").await.json()["code"], "no_route");
    let delete = request(Method::DELETE, "/v1/deployments").body(Body::empty()).unwrap();
    let answer = platform.send(delete).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json()["code"], "method");
}

#[tokio::test]
async fn projects_are_listed_by_name() {
    let platform = Platform::new("publish").await;
    let id = platform.deploy("b").await;
    platform.final_view(&id).await;
    platform.deploy("a").await;
    let expected = json!({ "project": "b", "production": id, "url": "http://b.localhost:8080/" });
    let projects = platform.get("/v1/projects").await.json();
    assert_eq!(projects["items"][0]["project"], "a");
    assert_eq!(projects["items"][1], expected);
}
