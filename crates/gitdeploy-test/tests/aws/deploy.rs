//! From a repository to its address, forward and back.

use futures_util::StreamExt as _;
use reqwest::Method;

use crate::platform::{Platform, gated, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_site_goes_from_its_repository_to_its_address_and_its_log_is_seen_meanwhile() {
    let platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, gate) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;

    // The log comes while the build runs.
    let request = platform.service.request(Method::GET, &format!("/v1/deployments/{id}/logs"));
    let response = request.header("accept", "text/event-stream").send().await.unwrap();
    let mut pieces = response.bytes_stream();
    let mut seen = String::new();
    while !seen.contains(r#""before""#) {
        seen.push_str(std::str::from_utf8(&pieces.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(!seen.contains(r#""after""#));
    std::fs::write(gate, "").unwrap();
    while let Some(piece) = pieces.next().await {
        seen.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
    }
    assert!(seen.contains(r#""after""#) && seen.contains("event: end"), "{seen}");

    // Who has seen the end finds the site.
    let deployment = platform.service.get(&id).await;
    assert_eq!((&deployment["state"], &deployment["production"]), (&"ready".into(), &true.into()));
    platform.shows("blog", "one").await;
    platform.shows(&id, "one").await;

    // One task, started once, with nothing secret in it but a token that was used up.
    let tasks = platform.aws.tasks();
    let [task] = &tasks[..] else { panic!("one task, not {tasks:#?}") };
    assert_eq!(task.started_by.as_deref(), Some(id.as_str()));
    let names: Vec<_> = task.environment.iter().map(|(name, _)| name.as_str()).collect();
    for name in &names {
        let known = [
            "GIT_REPOSITORY_URL",
            "PROJECT_ID",
            "DEPLOYMENT_ID",
            "GITDEPLOY_ATTEMPT",
            "GITDEPLOY_CLAIM_URL",
            "GITDEPLOY_CLAIM_TOKEN",
        ];
        assert!(known.contains(name), "{name}");
    }
    let token = &task.environment.iter().find(|(name, _)| name == "GITDEPLOY_CLAIM_TOKEN").unwrap().1;
    let claim = &task.environment.iter().find(|(name, _)| name == "GITDEPLOY_CLAIM_URL").unwrap().1;
    let again = reqwest::Client::builder().no_proxy().build().unwrap().post(format!("{claim}/claim"));
    let body = serde_json::json!({"attempt": 1, "session": "0".repeat(64)});
    let refused = again.bearer_auth(token).json(&body).send().await.unwrap();
    assert!(refused.status().is_client_error(), "{}", refused.status());

    // Every call of the builder was made with lent credentials, and only the look at the store was refused.
    let mut lent = platform.aws.sessions();
    lent.retain(|session| session.name.starts_with(&id));
    let [lent] = &lent[..] else { panic!("one session, not {lent:#?}") };
    let calls = platform.s3.calls();
    let of_builder: Vec<_> =
        calls.iter().filter(|call| call.access_key.as_ref() == Some(&lent.access_key)).collect();
    assert!(of_builder.iter().any(|call| call.key == format!("__manifests/{id}.json")));
    assert!(of_builder.iter().any(|call| call.key == format!("__outputs/{id}/index.html")));
    for call in of_builder {
        assert!(call.status != Some(403) || call.key == "__manifests/.check", "{call:?}");
    }
    let written_by_others = calls.iter().filter(|call| {
        call.access_key.as_ref() != Some(&lent.access_key) && call.key.starts_with("__outputs/")
    });
    assert_eq!(written_by_others.filter(|call| call.action == "s3:PutObject").count(), 0);
    // The login of Redis is gone with the build.
    until(async || {
        let users = format!("{:?}", platform.redis.command(&["ACL", "LIST"]));
        (!users.contains(&id)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_moves_the_route_and_builds_nothing() {
    let platform = Platform::start().await;
    let first = platform.deploy("blog", "mkdir dist; echo one > dist/index.html").await;
    platform.service.in_state(&first, "ready").await;
    let second = platform.deploy("blog", "mkdir dist; echo two > dist/index.html").await;
    platform.service.in_state(&second, "ready").await;
    platform.shows("blog", "two").await;
    let back = platform.service.post("/v1/projects/blog/rollback").await;
    assert_eq!((&back["id"], &back["production"]), (&first.clone().into(), &true.into()));
    platform.shows("blog", "one").await;
    platform.service.post(&format!("/v1/deployments/{second}/promote")).await;
    platform.shows("blog", "two").await;
    assert_eq!(platform.aws.tasks().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_explains_its_answer_to_who_has_a_grant_and_its_role_lets_it() {
    let platform = Platform::start().await;
    let body = serde_json::json!({"host": "nobody.sites.test"});
    let response = platform.service.request(Method::POST, "/v1/grants").json(&body).send().await.unwrap();
    let grant: serde_json::Value = response.json().await.unwrap();
    let request = platform.request("nobody").header("gitdeploy-explain", grant["grant"].as_str().unwrap());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 404);
    let explanation = answer.headers()["gitdeploy-explanation"].to_str().unwrap();
    assert!(explanation.contains("decision=no-site"), "{explanation}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_build_is_stopped() {
    let platform = Platform::start().await;
    let gates = tempfile::tempdir().unwrap();
    let (script, _never) = gated(&gates, "one");
    let id = platform.deploy("blog", &script).await;
    platform.service.in_state(&id, "building").await;
    platform.service.post(&format!("/v1/deployments/{id}/cancel")).await;
    let deployment = platform.service.in_state(&id, "canceled").await;
    assert_eq!(deployment["failure"]["code"], "canceled");
    assert_eq!(platform.aws.requests("StopTask"), 1);
    assert!(platform.service.log(&id).await.contains("canceled"));
    assert_eq!(platform.visit("blog").await.0, 404);
}
