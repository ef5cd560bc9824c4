//! What builders claim, with a real builder, a real Redis, and AWS as `gitdeploy-test` plays it.

mod lending;
mod policy;

use axum::http::StatusCode;
use gitdeploy_core::claim::Claim;
use gitdeploy_core::{Attempt, State};
use gitdeploy_test::binary::Program;
use gitdeploy_test::git::{GitServer, Repository};
use gitdeploy_test::redis::Reply;
use serde_json::json;

use crate::support::{PATIENCE, Platform, until};
use lending::{Lending, SESSION};

const OTHER_SESSION: &str = "1111111111111111111111111111111111111111111111111111111111111111";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_answered_as_often_as_its_builder_asks() {
    let lending = Lending::start().await;
    let deployment = lending.begin("https://host/blog").await;
    let first = lending.claim(&deployment, SESSION).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let claim: Claim = serde_json::from_str(&first.text).unwrap();
    let get = |name: &str| claim.variables.get(name).map(String::as_str);
    assert_eq!(get("PROJECT_ID"), Some("blog"));
    assert_eq!(get("DEPLOYMENT_ID"), Some(deployment.id.as_str()));
    let url = format!("http://{}.localhost:8080/", deployment.id);
    assert_eq!(get("DEPLOYMENT_URL"), Some(url.as_str()));
    assert_eq!(get("GITDEPLOY_ATTEMPT"), Some("1"));
    assert_eq!(get("GIT_REPOSITORY_URL"), Some("https://host/blog"));
    assert_eq!(get("GITDEPLOY_STORE_BUCKET"), Some("sites"));
    assert_eq!(get("AWS_ENDPOINT_URL_S3"), Some(lending.s3.endpoint().as_str()));
    let redis = get("GITDEPLOY_BUS_REDIS_URL").unwrap();
    assert!(redis.starts_with(&format!("redis://gitdeploy-{}-1:", deployment.id)), "{redis}");
    assert!(!first.text.contains("test-secret-key"), "the service's own key is not lent");

    let again: Claim = serde_json::from_str(&lending.claim(&deployment, SESSION).await.text).unwrap();
    assert_eq!(again.variables, claim.variables);
    let session = lending.aws.sessions().pop().unwrap();
    assert_eq!(session.access_key, again.credentials.unwrap().access_key_id);
    assert_eq!(session.name, format!("{}.1", deployment.id));
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut tags = session.tags.clone();
    tags.sort();
    assert_eq!(tags, [tag("gitdeploy:deployment", deployment.id.as_str()), tag("gitdeploy:project", "blog")]);

    let renewed = lending.ask(&deployment, "credentials", SESSION).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.text);
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    assert_eq!(renewed.json()["access_key_id"], lending.aws.sessions().pop().unwrap().access_key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_builder_with_the_same_token_gets_nothing() {
    let lending = Lending::start().await;
    let deployment = lending.begin("https://host/blog").await;
    assert_eq!(lending.claim(&deployment, SESSION).await.status, StatusCode::OK);
    let sessions = lending.aws.sessions().len();
    for what in ["claim", "credentials"] {
        let answer = lending.ask(&deployment, what, OTHER_SESSION).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        assert_eq!(answer.json()["detail"], "another builder has claimed this attempt");
    }
    assert_eq!(lending.aws.sessions().len(), sessions);
    assert_eq!(lending.claim(&deployment, SESSION).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_token_learns_nothing() {
    let lending = Lending::start().await;
    let deployment = lending.begin("https://host/blog").await;
    let other = lending.begin("https://host/other").await;
    let token = lending.token(&deployment);
    let body = json!({ "attempt": 1, "session": SESSION }).to_string();
    let path = |id: &str| format!("/internal/v1/builds/{id}/claim");
    let unknown = path("00000000000000000000");
    let mut answers = Vec::new();
    for (path, token) in [
        (path(deployment.id.as_str()), None),
        (path(deployment.id.as_str()), Some("gd_build_0".to_owned())),
        (path(deployment.id.as_str()), Some(lending.token(&other))),
        (path(deployment.id.as_str()), Some(crate::support::TOKEN.to_owned())),
        (path(other.id.as_str()), Some(token.clone())),
        (unknown, Some(token.clone())),
        (path("no-id"), Some(token.clone())),
    ] {
        let answer = lending.post(&path, token.as_deref(), &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}: {}", answer.text);
        answers.push(answer.text);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let path = path(deployment.id.as_str());
    let next = json!({ "attempt": 2, "session": SESSION }).to_string();
    assert_eq!(lending.post(&path, Some(&token), &next).await.status, StatusCode::UNAUTHORIZED);
    for body in ["", "{}", "null", &format!("{{\"attempt\":1,\"session\":\"{}\"}}", "0".repeat(5000))] {
        let answer = lending.post(&path, Some(&token), body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    }
    let short = json!({ "attempt": 1, "session": "0" }).to_string();
    assert_eq!(lending.post(&path, Some(&token), &short).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    // None of it has kept the builder out.
    assert_eq!(lending.claim(&deployment, SESSION).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lent_for_an_attempt_that_has_ended() {
    let lending = Lending::start().await;
    let canceled = lending.begin("https://host/blog").await;
    assert_eq!(lending.claim(&canceled, SESSION).await.status, StatusCode::OK);
    lending.control.cancel(&canceled).await.unwrap();
    let restarted = lending.begin("https://host/other").await;
    assert!(lending.control.catalog().restart(&restarted.id, Attempt(1)).await.unwrap());
    for deployment in [canceled, restarted] {
        for what in ["claim", "credentials"] {
            let answer = lending.ask(&deployment, what, SESSION).await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
            assert_eq!(answer.json()["code"], "claim.over");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_lent_now_can_be_asked_for_again() {
    let lending = Lending::start().await;
    let deployment = lending.begin("https://host/blog").await;
    lending.aws.fail("AssumeRole", gitdeploy_test::aws::Fault::AccessDenied, usize::MAX);
    let answer = lending.claim(&deployment, SESSION).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    assert!(!answer.text.contains("arn:"), "{}", answer.text);
    let error = lending.lender.check().await.unwrap_err();
    assert!(error.to_string().contains("role/publish"), "{error}");
    lending.aws.clear_faults();
    lending.lender.check().await.unwrap();
    assert_eq!(lending.claim(&deployment, SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_service_that_lends_nothing_has_no_such_address() {
    let platform = Platform::idle("").await;
    let body = json!({ "attempt": 1, "session": SESSION });
    let answer = platform.post("/internal/v1/builds/00000000000000000000/claim", &body).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

/// A git server, whose repository's build waits for nothing or for a file.
async fn repository(script: &str) -> GitServer {
    let git = GitServer::start().await;
    let repository = Repository::new().file("build.sh", script).commit("Add a script");
    git.add("blog", &repository);
    git
}

const SCRIPT: &str = "mkdir out; echo hello > out/index.html; env > out/env.txt";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_builder_claims_publishes_and_shows_none_of_it() {
    let lending = Lending::start().await;
    let git = repository(SCRIPT).await;
    let deployment = lending.begin(&git.url("blog")).await;
    let ticket_token = lending.token(&deployment);
    let mut builder =
        lending.builder(&deployment).var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x").start();
    assert_eq!(builder.wait(PATIENCE).await, 0, "{:#?}", builder.stderr());
    let id = &deployment.id;
    assert_eq!(lending.s3.object(&format!("__outputs/{id}/index.html")).unwrap(), "hello\n");
    assert!(lending.s3.object(&format!("__manifests/{id}.json")).is_some());
    assert!(lending.s3.object(&format!("__logs/{id}.ndjson.zst")).is_some());
    let Reply::Integer(entries) = lending.redis.command(&["XLEN", &format!("events:{id}")]) else { panic!() };
    assert!(entries > 0);

    // Nobody but the service and the session has asked for anything, and the session for what its policy allows.
    let session = lending.aws.sessions().pop().unwrap();
    let calls = lending.calls_of(&session.access_key);
    assert!(calls.iter().any(|call| call.key.starts_with("__manifests/") && call.action == "s3:PutObject"));
    for call in &calls {
        let allowed = policy::allows(&session, call.action, &call.key);
        assert!(allowed || call.key == "__manifests/.check", "{call:?}");
    }

    let environment = lending.s3.object(&format!("__outputs/{id}/env.txt")).unwrap();
    let environment = String::from_utf8(environment.to_vec()).unwrap();
    let said = [builder.stdout(), builder.stderr(), vec![environment]].concat().join("\n");
    for hidden in [&ticket_token, &format!("gitdeploy-{id}"), "AWS_CONTAINER", "CLAIM_", "x-amz-security"] {
        assert!(!said.contains(hidden), "{hidden}: {said}");
    }
    let log = lending.redis.command(&["XRANGE", &format!("events:{id}"), "-", "+"]);
    assert!(!format!("{log:?}").contains(&ticket_token));

    lending.lender.end(&deployment).await;
    let Reply::List(users) = lending.redis.command(&["ACL", "USERS"]) else { panic!("no list") };
    assert_eq!(users.len(), 1, "{users:?}");
    // What it claimed with is of no use to whoever has read it.
    assert_eq!(lending.ask(&deployment, "claim", OTHER_SESSION).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_builder_whose_credentials_end_renews_them() {
    let lending = Lending::start().await;
    let directory = tempfile::tempdir().unwrap();
    let go = directory.path().join("go");
    let git = repository(&format!("until [ -e {} ]; do sleep 0.1; done; {SCRIPT}", go.display())).await;
    let deployment = lending.begin(&git.url("blog")).await;
    lending.aws.shorten_sessions(std::time::Duration::from_secs(4));
    let mut builder = lending.builder(&deployment).start();
    let sessions = || lending.aws.sessions().into_iter().filter(|session| !session.tags.is_empty());
    let first = until(async || sessions().next()).await;
    lending.aws.fail("AssumeRole", gitdeploy_test::aws::Fault::AccessDenied, 2);
    until(async || (first.expires < std::time::SystemTime::now()).then_some(())).await;
    // The first tries to renew have failed.
    until(async || (sessions().count() > 1).then_some(())).await;
    std::fs::write(&go, "").unwrap();
    assert_eq!(builder.wait(PATIENCE).await, 0, "{:#?}", builder.stderr());
    let published = format!("__manifests/{}.json", deployment.id);
    assert!(lending.s3.object(&published).is_some());
    assert!(lending.calls_of(&first.access_key).iter().all(|call| call.key != published));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_builder_that_comes_too_late_says_so() {
    let lending = Lending::start().await;
    let deployment = lending.begin("https://host/blog").await;
    let check = async |builder: Program, says: &str| {
        let mut builder = builder.start();
        assert_eq!(builder.wait(PATIENCE).await, 75, "{:#?}", builder.stderr());
        let stderr = builder.stderr();
        assert!(
            stderr.last().unwrap().starts_with("error: ") && stderr.last().unwrap().contains(says),
            "{stderr:#?}"
        );
    };
    lending.claim(&deployment, SESSION).await;
    check(lending.builder(&deployment), "another builder has claimed this attempt").await;
    let wrong = lending.builder(&deployment).var("GITDEPLOY_CLAIM_TOKEN", "gd_build_0");
    check(wrong, "this is not the token of this attempt").await;
    lending.control.cancel(&deployment).await.unwrap();
    assert_ne!(lending.control.catalog().get(&deployment.id).await.unwrap().unwrap().state, State::Ready);
    check(lending.builder(&deployment), "this attempt has ended or was replaced").await;
}
