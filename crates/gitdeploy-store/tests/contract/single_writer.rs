//! A store that will not do as conditions say, and its only writer.

use gitdeploy_store::{ETag, Precondition, StoreError};
use gitdeploy_test::s3::{Fault, Operation, S3Server};

use super::{bytes, key, open, single_writer, when};

#[tokio::test]
async fn a_write_that_is_refused_because_of_its_condition_is_made_without_it() {
    for status in [400, 412, 501] {
        let server = S3Server::start().await.unwrap();
        let store = open(&single_writer(&server)).await;
        server.fail(Operation::PutObject, Fault::Status(status), 1);
        let etag = store.put(&key("a/b"), bytes("x"), when(Precondition::Absent)).await.unwrap();
        server.fail(Operation::PutObject, Fault::Status(status), 1);
        store.put(&key("a/b"), bytes("y"), when(Precondition::Matches(etag))).await.unwrap();
        assert_eq!(server.object("a/b").unwrap(), "y");
        assert_eq!(server.requests(Operation::PutObject), 4, "{status}");
    }
}

#[tokio::test]
async fn a_write_is_not_made_if_its_condition_does_not_hold() {
    let server = S3Server::start().await.unwrap();
    let store = open(&single_writer(&server)).await;
    server.insert("a/b", "x", None);
    let other = ETag("\"other\"".to_owned());
    for precondition in [Precondition::Absent, Precondition::Matches(other.clone())] {
        let error = store.put(&key("a/b"), bytes("y"), when(precondition)).await.unwrap_err();
        assert!(matches!(error, StoreError::Changed(_)), "{error:?}");
    }
    let missing = store.put(&key("a/c"), bytes("y"), when(Precondition::Matches(other))).await.unwrap_err();
    assert!(matches!(missing, StoreError::Changed(_)), "{missing:?}");
    assert_eq!(server.requests(Operation::PutObject), 0);
}

#[tokio::test]
async fn who_cannot_look_trusts_the_store() {
    let server = S3Server::start().await.unwrap();
    let store = open(&single_writer(&server)).await;
    server.fail(Operation::HeadObject, Fault::Status(403), usize::MAX);
    store.put(&key("a/b"), bytes("x"), when(Precondition::Absent)).await.unwrap();
    let error = store.put(&key("a/b"), bytes("y"), when(Precondition::Absent)).await.unwrap_err();
    assert!(matches!(error, StoreError::Changed(_)), "{error:?}");
    assert_eq!(server.object("a/b").unwrap(), "x");
}
