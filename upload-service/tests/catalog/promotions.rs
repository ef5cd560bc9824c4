use gitdeploy_core::State;
use tokio::task::JoinSet;
use upload_service::Catalog;
use upload_service::catalog::{Finished, Promotion};

use crate::support::{at, claimed, ending};

/// A deployment of `blog` that has become ready.
async fn ready(catalog: &Catalog, number: i64) -> (gitdeploy_core::DeploymentId, Finished) {
    let deployment = claimed(catalog, "blog", number).await;
    let finished =
        catalog.finish(&deployment.id, deployment.attempt, ending(State::Ready), at(number)).await.unwrap();
    (deployment.id, finished)
}

pub(crate) async fn an_older_deployment_is_promoted_on_request_and_a_newer_one_replaces_it(catalog: Catalog) {
    let blog = "blog".parse().unwrap();
    let (first, _) = ready(&catalog, 1).await;
    let (second, _) = ready(&catalog, 2).await;
    assert_eq!(catalog.promote(&second).await.unwrap(), Promotion::Already);
    assert_eq!(catalog.promote(&first).await.unwrap(), Promotion::Promoted);
    assert_eq!(catalog.production(&blog).await.unwrap(), Some(first.clone()));
    assert!(catalog.get(&first).await.unwrap().unwrap().production);
    assert!(!catalog.get(&second).await.unwrap().unwrap().production);
    assert_eq!(catalog.promote(&second).await.unwrap(), Promotion::Promoted);
    assert_eq!(catalog.production(&blog).await.unwrap(), Some(second));
    let (third, finished) = ready(&catalog, 3).await;
    assert_eq!(finished, Finished::Promoted);
    assert_eq!(catalog.production(&blog).await.unwrap(), Some(third));
}

pub(crate) async fn after_a_rollback_a_build_that_was_begun_before_does_not_come_back(catalog: Catalog) {
    let blog = "blog".parse().unwrap();
    let (first, _) = ready(&catalog, 1).await;
    // It finishes only after the rollback.
    let late = catalog.create(crate::support::new("blog", 2)).await.unwrap();
    let newest = catalog.create(crate::support::new("blog", 3)).await.unwrap();
    catalog.finish(&newest.id, newest.attempt, ending(State::Ready), at(4)).await.unwrap();
    assert_eq!(catalog.promote(&first).await.unwrap(), Promotion::Promoted);
    let finished = catalog.finish(&late.id, late.attempt, ending(State::Ready), at(5)).await.unwrap();
    assert_eq!(finished, Finished::Ended);
    assert_eq!(catalog.production(&blog).await.unwrap(), Some(first));
}

pub(crate) async fn what_is_not_ready_is_not_promoted(catalog: Catalog) {
    let running = claimed(&catalog, "blog", 1).await;
    assert_eq!(catalog.promote(&running.id).await.unwrap(), Promotion::NotReady);
    catalog.finish(&running.id, running.attempt, ending(State::Failed), at(2)).await.unwrap();
    assert_eq!(catalog.promote(&running.id).await.unwrap(), Promotion::NotReady);
    let unknown = crate::support::new("blog", 9).id;
    assert_eq!(catalog.promote(&unknown).await.unwrap(), Promotion::NotReady);
    assert_eq!(catalog.production(&"blog".parse().unwrap()).await.unwrap(), None);
}

pub(crate) async fn of_64_that_promote_one_is_in_production(catalog: Catalog) {
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(ready(&catalog, number).await.0);
    }
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let (catalog, id) = (catalog.clone(), ids[(number * 5 + 3) % ids.len()].clone());
        tasks.spawn(async move { catalog.promote(&id).await.unwrap() });
    }
    assert!(tasks.join_all().await.iter().all(|promotion| *promotion != Promotion::NotReady));
    let production = catalog.production(&"blog".parse().unwrap()).await.unwrap().unwrap();
    assert!(ids.contains(&production));
    for id in ids {
        assert_eq!(catalog.get(&id).await.unwrap().unwrap().production, id == production);
    }
}
