//! What is true of the catalog in a file only.

use gitdeploy_core::State;
use upload_service::Catalog;

use crate::support::{at, claimed, ending};

#[tokio::test]
async fn the_catalog_survives_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.sqlite3");
    let catalog = Catalog::open(&path).unwrap();
    let deployment = claimed(&catalog, "blog", 1).await;
    catalog.finish(&deployment.id, deployment.attempt, ending(State::Failed), at(2)).await.unwrap();
    let before = catalog.get(&deployment.id).await.unwrap();
    drop(catalog);
    assert_eq!(Catalog::open(&path).unwrap().get(&deployment.id).await.unwrap(), before);
}

#[tokio::test]
async fn leases_end_with_the_process_that_gave_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.sqlite3");
    let catalog = Catalog::open(&path).unwrap();
    let before = claimed(&catalog, "blog", 1).await;
    assert!(before.lease.is_some());
    drop(catalog);
    let catalog = Catalog::open(&path).unwrap();
    let seen = catalog.get(&before.id).await.unwrap().unwrap();
    assert_eq!((seen.state, seen.lease), (State::Starting, None));
    // Long before the old lease would have been over.
    let taken = catalog.take_over(&seen, at(2), at(60_000)).await.unwrap().unwrap();
    assert_eq!(taken.lease, Some(at(60_000)));
}
