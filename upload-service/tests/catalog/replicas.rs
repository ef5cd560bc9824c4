use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{Attempt, Phase, State};
use upload_service::Catalog;
use upload_service::catalog::{Cancellation, Deployment, Finished};

use crate::support::{at, canceled, claimed, ending, new};

pub(crate) async fn the_catalog_can_be_reached(catalog: Catalog) {
    catalog.check().await.unwrap();
}

pub(crate) async fn a_lease_is_renewed_and_taken_over_when_it_is_over(catalog: Catalog) {
    let first = claimed(&catalog, "blog", 1).await;
    assert_eq!(first.lease, Some(at(60_001)));
    assert_eq!(catalog.running().await.unwrap(), std::slice::from_ref(&first));
    let (id, attempt) = (&first.id, first.attempt);
    // It is not over.
    assert_eq!(catalog.take_over(&first, at(60_000), at(90_000)).await.unwrap(), None);
    let renewed = catalog.renew(id, attempt, at(70_000)).await.unwrap().unwrap();
    assert_eq!(renewed, Deployment { lease: Some(at(70_000)), ..first.clone() });
    assert_eq!(catalog.renew(id, Attempt(2), at(80_000)).await.unwrap(), None);
    // It was renewed meanwhile.
    assert_eq!(catalog.take_over(&first, at(80_000), at(90_000)).await.unwrap(), None);
    assert_eq!(catalog.cancel(id, canceled(), at(5)).await.unwrap(), Cancellation::Requested);
    assert!(catalog.renew(id, attempt, at(70_000)).await.unwrap().unwrap().cancel_requested);
    let taken = catalog.take_over(&renewed, at(70_000), at(90_000)).await.unwrap().unwrap();
    assert_eq!((taken.lease, taken.attempt), (Some(at(90_000)), attempt));
    assert_eq!(catalog.take_over(&renewed, at(70_000), at(95_000)).await.unwrap(), None);
    assert_eq!(catalog.finish(id, attempt, ending(State::Canceled), at(6)).await.unwrap(), Finished::Ended);
    assert_eq!(catalog.renew(id, attempt, at(99_000)).await.unwrap(), None);
    assert_eq!(catalog.take_over(&taken, at(99_000), at(99_999)).await.unwrap(), None);
    assert_eq!(catalog.get(id).await.unwrap().unwrap().lease, None);
}

pub(crate) async fn a_lost_builder_s_deployment_waits_again(catalog: Catalog) {
    let first = claimed(&catalog, "blog", 1).await;
    let (id, attempt) = (&first.id, first.attempt);
    assert!(catalog.learn_task(id, attempt, "task/1".to_owned()).await.unwrap());
    assert!(!catalog.learn_task(id, Attempt(2), "task/2".to_owned()).await.unwrap());
    assert!(catalog.advance(id, attempt, Phase::Build).await.unwrap());
    assert!(catalog.bind(id, attempt, Sha256::of(b"one")).await.unwrap().is_some());
    assert_eq!(catalog.get(id).await.unwrap().unwrap().task.as_deref(), Some("task/1"));
    assert!(!catalog.restart(id, Attempt(2)).await.unwrap());
    // The second time as after an answer that was lost.
    for _ in 0..2 {
        assert!(catalog.restart(id, attempt).await.unwrap());
    }
    let waiting = catalog.get(id).await.unwrap().unwrap();
    let as_new =
        Deployment { lease: None, holder: None, started: None, state: State::Queued, ..first.clone() };
    assert_eq!(waiting, as_new);
    assert!(catalog.running().await.unwrap().is_empty());

    // What the lost builder and who watched it still say is refused.
    assert!(!catalog.advance(id, attempt, Phase::Upload).await.unwrap());
    assert!(!catalog.learn_task(id, attempt, "task/1".to_owned()).await.unwrap());
    assert_eq!(catalog.bind(id, attempt, Sha256::of(b"one")).await.unwrap(), None);
    assert_eq!(catalog.finish(id, attempt, ending(State::Lost), at(2)).await.unwrap(), Finished::Refused);
    assert_eq!(catalog.renew(id, attempt, at(3)).await.unwrap(), None);
    assert_eq!(catalog.get(id).await.unwrap().unwrap(), as_new);

    // A newer one of the project waits behind it.
    catalog.create(new("blog", 2)).await.unwrap();
    let second = catalog.claim_oldest(at(5), at(60_000)).await.unwrap().unwrap();
    assert_eq!((&second.id, second.attempt), (id, Attempt(2)));
    assert_eq!(catalog.claim_oldest(at(5), at(60_000)).await.unwrap(), None);
    assert_eq!(catalog.finish(id, attempt, ending(State::Ready), at(6)).await.unwrap(), Finished::Refused);
    assert_eq!(catalog.cancel(id, canceled(), at(6)).await.unwrap(), Cancellation::Requested);
    assert!(!catalog.restart(id, Attempt(2)).await.unwrap());
    let finished = catalog.finish(id, Attempt(2), ending(State::Ready), at(7)).await.unwrap();
    assert_eq!(finished, Finished::Promoted);
    assert!(catalog.claim_oldest(at(8), at(60_000)).await.unwrap().is_some());
}

pub(crate) async fn a_session_binds_an_attempt(catalog: Catalog) {
    let deployment = claimed(&catalog, "blog", 1).await;
    let (id, attempt) = (&deployment.id, deployment.attempt);
    let (one, other) = (Sha256::of(b"one"), Sha256::of(b"other"));
    assert_eq!(catalog.bind(id, Attempt(2), one).await.unwrap(), None);
    let bound = catalog.bind(id, attempt, one).await.unwrap().unwrap();
    assert_eq!(bound.session, Some(one));
    assert_eq!(catalog.bind(id, attempt, one).await.unwrap(), Some(bound));
    assert_eq!(catalog.bind(id, attempt, other).await.unwrap(), None);
    catalog.finish(id, attempt, ending(State::Ready), at(2)).await.unwrap();
    assert_eq!(catalog.bind(id, attempt, one).await.unwrap(), None);
}
