//! Writes that keep a pace: as many at once as the store takes, and each repeated alone.

use futures_util::future::try_join_all;
use gitdeploy_store::{Content, Copy, ObjectStore, Pace, Precondition, Put, StoreError};
use gitdeploy_test::s3::{Fault, Operation, S3Server};

use super::s3::{large_file, start};
use super::{bytes, key, whole};

const MOST: usize = 64;

fn paced(pace: &Pace) -> Put {
    Put { pace: Some(pace.clone()), ..Put::default() }
}

/// How many requests of a kind were answered with a status.
fn answered(server: &S3Server, operation: Operation, status: u16) -> usize {
    let calls = server.calls();
    calls.iter().filter(|call| call.operation == operation && call.status == Some(status)).count()
}

async fn write_many(store: &ObjectStore, pace: &Pace, count: usize) -> Result<(), StoreError> {
    let keys: Vec<_> = (0..count).map(|number| key(&format!("a/{number}"))).collect();
    try_join_all(keys.iter().map(|key| store.put(key, bytes("x"), paced(pace)))).await.map(drop)
}

#[tokio::test]
async fn a_busy_store_gets_fewer_requests_until_it_takes_them() {
    let (server, store) = start().await;
    let pace = Pace::new(MOST);
    server.fail(Operation::PutObject, Fault::BusyAbove(4), usize::MAX);
    write_many(&store, &pace, 150).await.unwrap();
    assert_eq!(server.keys().len(), 150);
    let refused = answered(&server, Operation::PutObject, 503);
    assert!((1..150).contains(&refused), "{refused}");

    // It has learned: what follows meets a store that is busy far less often.
    server.forget_requests();
    write_many(&store, &pace, 150).await.unwrap();
    let later = answered(&server, Operation::PutObject, 503);
    assert!(later < refused, "{later}, at first {refused}");
}

#[tokio::test]
async fn a_storm_of_failures_passes_without_one_in_the_end() {
    let (server, store) = start().await;
    for fault in [Fault::Status(503), Fault::Status(500), Fault::Reset, Fault::LostAnswer] {
        server.fail(Operation::PutObject, fault, 20);
    }
    // More in a row than the SDK would repeat.
    write_many(&store, &Pace::new(MOST), 100).await.unwrap();
    assert_eq!(server.keys().len(), 100);
    assert_eq!(server.requests(Operation::PutObject), 100 + 4 * 20);
}

#[tokio::test]
async fn a_part_that_fails_is_sent_again_and_the_others_are_not() {
    let (server, store) = start().await;
    let file = large_file();
    server.fail(Operation::CreateMultipartUpload, Fault::Status(503), 4);
    for fault in [Fault::Status(503), Fault::Status(500), Fault::Reset, Fault::LostAnswer] {
        server.fail(Operation::UploadPart, fault, 2);
    }
    server.fail(Operation::CompleteMultipartUpload, Fault::Status(503), 4);
    let content = Content::File(file.path().to_owned());
    store.put(&key("a/large"), content, paced(&Pace::new(MOST))).await.unwrap();
    assert!(server.object("a/large").unwrap() == std::fs::read(file.path()).unwrap());
    assert_eq!(server.requests(Operation::UploadPart), 4 * 2 + 5);
    assert_eq!(answered(&server, Operation::UploadPart, 200), 5);
    assert_eq!((server.requests(Operation::AbortMultipartUpload), server.open_uploads()), (0, 0));
}

#[tokio::test]
async fn what_cannot_pass_is_not_repeated() {
    let (server, store) = start().await;
    server.fail(Operation::PutObject, Fault::Status(403), 1);
    let refused = store.put(&key("a/b"), bytes("x"), paced(&Pace::new(MOST))).await;
    assert!(matches!(refused, Err(StoreError::Denied { .. })), "{refused:?}");
    assert_eq!(server.requests(Operation::PutObject), 1);
}

#[tokio::test]
async fn a_condition_knows_its_own_write_again() {
    let (server, store) = start().await;
    server.fail(Operation::PutObject, Fault::LostAnswer, 1);
    let put = Put { precondition: Precondition::Absent, ..paced(&Pace::new(MOST)) };
    store.put(&key("a/b"), bytes("x"), put).await.unwrap();
    assert_eq!(server.requests(Operation::PutObject), 2);
}

#[tokio::test]
async fn copies_keep_it_too() {
    let (server, store) = start().await;
    let etag = store.put(&key("a/from"), bytes("x"), Put::default()).await.unwrap();
    server.fail(Operation::CopyObject, Fault::Status(503), 5);
    let copy = Copy { pace: Some(Pace::new(MOST)), ..Copy::default() };
    store.copy(&key("a/from"), &etag, &key("a/to"), copy).await.unwrap();
    assert_eq!(server.requests(Operation::CopyObject), 6);
    assert_eq!(server.requests(Operation::GetObject), 0);
    assert_eq!(whole(&store, &key("a/to")).await, "x");
}
