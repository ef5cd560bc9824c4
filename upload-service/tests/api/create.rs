use axum::http::StatusCode;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::support::Platform;

#[tokio::test]
async fn a_repository_is_accepted_and_waits() {
    let platform = Platform::idle("").await;
    let body = json!({
        "git": "https://github.com/acme/docs.git",
        "ref": "main",
        "root": "site/",
        "settings": { "command": "make html", "output": "_build" },
        "target": "preview",
    });
    let answer = platform.post("/v1/deployments", &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(&*format!("/v1/deployments/{id}")));
    assert_eq!(answer.json()["url"], format!("http://{id}.localhost:8080/"));
    assert_json_snapshot!(answer.json(), { ".id" => "[id]", ".url" => "[url]", ".created" => "[time]" }, @r#"
    {
      "attempt": 0,
      "created": "[time]",
      "id": "[id]",
      "phase": null,
      "production": false,
      "project": "docs",
      "source": {
        "kind": "git",
        "reference": "main",
        "repository": "https://github.com/acme/docs.git"
      },
      "state": "queued",
      "target": "preview",
      "url": "[url]"
    }
    "#);
    let found = platform.get(&format!("/v1/deployments/{id}")).await.json();
    assert_eq!(found, answer.json());
    let deployment = platform.control.catalog().get(&id.parse().unwrap()).await.unwrap().unwrap();
    let settings = deployment.settings;
    assert_eq!(settings.root.as_deref(), Some("site"));
    assert_eq!(settings.command.as_deref(), Some("make html"));
    assert_eq!(settings.output.as_deref(), Some("_build"));
    assert_eq!(settings.install, None);
}

#[tokio::test]
async fn bad_input_is_refused_with_a_reason_and_without_a_trace() {
    let platform = Platform::idle("").await;
    let check = async |body: Value, status: u16, code: &str, detail: &str| {
        let answer = platform.post("/v1/deployments", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    };
    let git = "https://host/blog";
    check(json!({ "git": "/srv/blog" }), 422, "git.address", "is a path").await;
    check(json!({ "git": "file:///srv/blog" }), 422, "git.address", "is a path").await;
    check(json!({ "git": "" }), 422, "git.address", "is empty").await;
    check(json!({ "git": "ftp://host/blog" }), 422, "git.address", "`ftp://host/blog` cannot be cloned")
        .await;
    check(json!({ "git": git, "project": "My_Blog" }), 422, "project.name", "only `a-z`, `0-9` and `-`")
        .await;
    check(json!({ "git": git, "project": "a--b" }), 422, "project.name", "use a single `-`").await;
    check(json!({ "git": "https://host/..." }), 422, "project.name", "nothing says").await;
    check(json!({ "git": git, "ref": "a..b" }), 422, "git.ref", "`a..b`").await;
    check(json!({ "git": git, "root": "../up" }), 422, "directory", "`root` is `../up`").await;
    check(json!({ "git": git, "settings": { "output": "/etc" } }), 422, "directory", "`output`").await;
    check(json!({ "git": git, "settings": { "command": "a\u{0}b" } }), 422, "text", "control character")
        .await;
    check(json!({ "git": git, "target": "staging" }), 422, "body", "staging").await;
    check(json!({ "git": git, "brunch": "main" }), 422, "body", "brunch").await;
    check(json!({ "git": git, "settings": { "instal": "x" } }), 422, "body", "instal").await;
    check(json!({ "project": "blog" }), 422, "body", "git").await;
    let listed = platform.get("/v1/deployments").await.json();
    assert_eq!(listed["items"], json!([]));
    assert_eq!(platform.get("/v1/projects").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_path_is_told_what_to_do_instead() {
    let platform = Platform::idle("").await;
    let answer = platform.post("/v1/deployments", &json!({ "git": "./blog" })).await;
    assert_json_snapshot!(answer.json(), @r#"
    {
      "code": "git.address",
      "detail": "`./blog` cannot be cloned: it is a path, and this service clones over the network only",
      "hint": "deploy a directory with `gitdeploy deploy DIR`",
      "status": 422,
      "title": "not usable",
      "type": "/problems/git.address"
    }
    "#);
}

#[tokio::test]
async fn credentials_in_an_address_are_refused_and_not_repeated() {
    let platform = Platform::idle("").await;
    for address in [
        "https://me:hunter2@host/blog",
        "ftp://me:hunter2@host/blog",
        "https://me:hunter2@host/",
        "https://me:hunter2@host/a b",
        "https://me:x/hunter2@host/a",
    ] {
        let answer = platform.post("/v1/deployments", &json!({ "git": address })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.json()["code"], "git.address", "{}", answer.text);
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    use axum::body::Body;
    use axum::http::Method;
    let platform = Platform::idle("").await;
    let check = async |media_type: &str, body: &'static str, status: u16, code: &str| {
        let request =
            crate::support::request(Method::POST, "/v1/deployments").header("content-type", media_type);
        let answer = platform.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.json()["code"], code);
    };
    check("application/json", "{", 400, "body").await;
    check("application/json; charset=utf-8", "[]", 422, "body").await;
    check("application/zip", "PK", 415, "media_type").await;
    check("", "", 415, "media_type").await;
}
