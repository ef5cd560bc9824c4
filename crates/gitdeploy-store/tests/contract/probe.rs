//! What a store does with conditions is found out, and said.

use gitdeploy_store::{Conditions, ObjectStore, StoreError};
use gitdeploy_test::s3::{Fault, Operation, S3Server};

use super::{config, open, single_writer};

#[tokio::test]
async fn a_store_that_keeps_conditions_is_good() {
    let server = S3Server::start().await.unwrap();
    for config in [config(&server), single_writer(&server)] {
        assert_eq!(open(&config).await.probe().await.unwrap(), Conditions::Kept);
        assert!(server.keys().is_empty(), "{:?}", server.keys());
    }
}

#[tokio::test]
async fn memory_and_directories_are_good() {
    assert_eq!(ObjectStore::memory().probe().await.unwrap(), Conditions::Kept);
    let root = tempfile::tempdir().unwrap();
    let store = ObjectStore::directory(root.path()).unwrap();
    assert_eq!(store.probe().await.unwrap(), Conditions::Kept);
}

#[tokio::test]
async fn a_store_that_refuses_conditions_is_for_a_single_writer() {
    let server = S3Server::start().await.unwrap();
    let store = open(&config(&server)).await;
    server.fail(Operation::PutObject, Fault::Status(501), 1);
    let error = store.probe().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the S3 bucket `sites` refuses writes with `If-None-Match` (it answered 501, NotImplemented: failed on \
         demand): two writers could overwrite each other's routes; use a store with conditional writes, or set \
         `GITDEPLOY_STORE_SINGLE_WRITER=true` if only one upload service runs"
    );
    assert!(!error.is_transient());
    assert!(server.keys().is_empty(), "{:?}", server.keys());

    let store = open(&single_writer(&server)).await;
    server.fail(Operation::PutObject, Fault::Status(501), 1);
    let conditions = store.probe().await.unwrap();
    assert!(matches!(conditions, Conditions::Refused { header: "If-None-Match", .. }), "{conditions:?}");
}

#[tokio::test]
async fn a_store_that_wrongly_says_that_a_condition_does_not_hold_is_for_a_single_writer() {
    let server = S3Server::start().await.unwrap();
    let store = open(&single_writer(&server)).await;
    server.fail(Operation::PutObject, Fault::Status(412), 1);
    let reason = "it says that the condition does not hold, but it does".to_owned();
    let refused = Conditions::Refused { header: "If-None-Match", reason };
    assert_eq!(store.probe().await.unwrap(), refused);
}

#[tokio::test]
async fn a_store_that_refuses_or_fails_all_writes_is_not_judged() {
    let server = S3Server::start().await.unwrap();
    let store = open(&single_writer(&server)).await;
    server.fail(Operation::PutObject, Fault::Status(403), usize::MAX);
    let error = store.probe().await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    server.clear_faults();
    server.fail(Operation::PutObject, Fault::Status(500), usize::MAX);
    assert!(store.probe().await.unwrap_err().is_transient());
}

#[tokio::test]
async fn what_a_failed_probe_wrote_is_removed() {
    let server = S3Server::start().await.unwrap();
    let store = open(&config(&server)).await;
    server.fail(Operation::GetObject, Fault::Status(403), usize::MAX);
    let error = store.probe().await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    assert_eq!(server.requests(Operation::PutObject), 1);
    assert!(server.keys().is_empty(), "{:?}", server.keys());
}
