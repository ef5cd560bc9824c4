use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use gitdeploy_bus::RouteNews;
use gitdeploy_core::{DeploymentId, keys};
use gitdeploy_store::{Content, Put};

use crate::support::{PATIENCE, Platform, until};

#[tokio::test]
async fn a_second_deployment_takes_over_and_the_first_stays_complete() {
    let platform = Platform::new("publish").await;
    let mut news = platform.control.bus().follow_routes();
    assert_eq!(news.next().await, Some(RouteNews::Listening));
    let first = platform.deploy("blog").await;
    platform.final_view(&first).await;
    leads_to(&platform, &mut news, "blog", &first).await;
    let second = platform.deploy("blog").await;
    platform.final_view(&second).await;
    leads_to(&platform, &mut news, "blog", &second).await;
    let route = platform.route("blog").await.unwrap();
    assert_eq!(route.deployment, second);
    assert_eq!(route.predecessors, std::slice::from_ref(&first));
    let old = platform.get(&format!("/v1/deployments/{first}")).await.json();
    assert_eq!((old["state"].as_str(), old["production"].as_bool()), (Some("ready"), Some(false)));
}

/// Follows the news of a label until its route leads to a deployment. How its build stands is news of it too.
async fn leads_to(
    platform: &Platform,
    news: &mut BoxStream<'static, RouteNews>,
    label: &str,
    deployment: &DeploymentId,
) {
    loop {
        let moved = tokio::time::timeout(PATIENCE, news.next()).await.expect("there is news").unwrap();
        let is_there =
            async || platform.route(label).await.is_some_and(|route| route.deployment == *deployment);
        if moved == RouteNews::Moved(label.to_owned()) && is_there().await {
            return;
        }
    }
}

#[tokio::test]
async fn proxies_are_told_to_look_again_at_the_start() {
    let platform = Platform::idle("publish").await;
    let mut news = platform.control.bus().follow_routes();
    assert_eq!(news.next().await, Some(RouteNews::Listening));
    let _started = platform.started();
    let again = tokio::time::timeout(PATIENCE, news.next()).await.expect("there is news");
    assert_eq!(again, Some(RouteNews::Listening));
}

#[tokio::test]
async fn a_preview_moves_no_route() {
    let platform = Platform::new("publish").await;
    let body = serde_json::json!({ "git": "https://host/blog", "target": "preview" });
    let id = platform.post("/v1/deployments", &body).await.json()["id"].as_str().unwrap().parse().unwrap();
    let view = platform.final_view(&id).await;
    assert_eq!(view["state"], "ready");
    assert_eq!(view.get("production_url"), None);
    platform.whole_log(&id).await;
    assert!(platform.route("blog").await.is_none());
}

#[tokio::test]
async fn a_route_that_differs_from_the_catalog_is_repaired_at_the_start() {
    let platform = Platform::new("publish").await;
    let id = platform.deploy("blog").await;
    let other = platform.deploy("news").await;
    for id in [&id, &other] {
        platform.final_view(id).await;
        platform.whole_log(id).await;
    }
    let store = platform.store.clone();
    let directory = platform.stop().await;
    let key = |label| keys::route(label).unwrap();
    store.delete(&key("blog")).await.unwrap();
    store.put(&key("news"), Content::Bytes("garbage".into()), Put::default()).await.unwrap();

    let platform = Platform::open(directory, "", |_| ()).await.started();
    until(async || platform.route("blog").await.filter(|route| route.deployment == id)).await;
    let read = async || {
        let (_, bytes) = platform.store.read(&key("news"), 10_000).await.unwrap();
        serde_json::from_slice::<gitdeploy_core::Route>(&bytes).ok().filter(|route| route.deployment == other)
    };
    until(read).await;
}

#[tokio::test]
async fn a_route_that_cannot_be_repaired_holds_up_no_other() {
    let platform = Platform::new("publish").await;
    let first = platform.deploy("blog").await;
    let second = platform.deploy("news").await;
    for id in [&first, &second] {
        platform.final_view(id).await;
        platform.whole_log(id).await;
    }
    let directory = platform.stop().await;
    let path = |label: &str| directory.path().join("store").join(keys::route(label).unwrap().as_str());
    let (blocked, missing) = (path("blog"), path("news"));
    std::fs::remove_file(&missing).unwrap();
    std::fs::remove_file(&blocked).unwrap();
    // Nobody can open a link to itself.
    std::os::unix::fs::symlink(&blocked, &blocked).unwrap();

    let platform = Platform::open(directory, "", |_| ()).await.started();
    until(async || platform.route("news").await.filter(|route| route.deployment == second)).await;
    assert!(platform.route("blog").await.is_none());
    std::fs::remove_file(&blocked).unwrap();
    until(async || platform.route("blog").await.filter(|route| route.deployment == first)).await;
}
