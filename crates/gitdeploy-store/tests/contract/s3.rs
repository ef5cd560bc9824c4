//! What holds for S3 only: failures, large objects, and what is seen on the wire.

use std::io::{Seek as _, Write as _};

use futures_util::StreamExt as _;
use gitdeploy_store::{
    Content, Get, ObjectBody, ObjectStore, Precondition, Put, S3Access, StoreConfig, StoreError,
};
use gitdeploy_test::s3::{Fault, Operation, S3Server};

use super::{bytes, config, key, open, pattern, when, whole};

pub(super) async fn start() -> (S3Server, ObjectStore) {
    let server = S3Server::start().await.unwrap();
    let store = open(&config(&server)).await;
    (server, store)
}

/// The error and what is behind it.
fn chain(error: &StoreError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

#[tokio::test]
async fn an_object_arrives_with_its_key_and_type() {
    let (server, store) = start().await;
    let put = Put { content_type: Some("text/css; charset=utf-8".to_owned()), ..Put::default() };
    store.put(&key("a b/ü+%.css"), bytes("x"), put).await.unwrap();
    assert_eq!(server.object("a b/ü+%.css").unwrap(), "x");
    let meta = store.head(&key("a b/ü+%.css")).await.unwrap();
    assert_eq!(meta.content_type.as_deref(), Some("text/css; charset=utf-8"));
}

#[tokio::test]
async fn a_prefix_stands_before_every_key_and_is_not_seen() {
    let server = S3Server::start().await.unwrap();
    let store = open(&StoreConfig { prefix: "team/".to_owned(), ..config(&server) }).await;
    store.put(&key("__manifests/a.json"), bytes("x"), Put::default()).await.unwrap();
    server.insert("__manifests/other.json", "x", None);
    assert_eq!(server.keys(), ["__manifests/other.json", "team/__manifests/a.json"]);
    let page = store.list(&gitdeploy_core::keys::manifests(), None).await.unwrap();
    assert_eq!(page.objects, [(key("__manifests/a.json"), 1)]);
    assert_eq!(whole(&store, &key("__manifests/a.json")).await, "x");
    store.delete(&key("__manifests/a.json")).await.unwrap();
    assert_eq!(server.keys(), ["__manifests/other.json"]);
    assert_eq!(store.describe(), "S3 bucket `sites`, keys from `team/`");
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_until_it_is_back() {
    let (server, store) = start().await;
    server.insert("a/b", "x", None);
    assert_eq!(whole(&store, &key("a/b")).await, "x");
    server.stop().await;
    let error = store.head(&key("a/b")).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(chain(&error).contains("Connection refused"), "{}", chain(&error));
    assert!(store.check().await.unwrap_err().is_transient());
    server.resume().await.unwrap();
    assert_eq!(whole(&store, &key("a/b")).await, "x");
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_failure_that_passes_is_not_noticed() {
    for fault in [Fault::Status(500), Fault::Status(503), Fault::Status(429), Fault::Reset, Fault::LostAnswer]
    {
        let (server, store) = start().await;
        for operation in [Operation::GetObject, Operation::PutObject, Operation::ListObjects] {
            server.fail(operation, fault.clone(), 1);
        }
        store.put(&key("__manifests/a.json"), bytes("x"), Put::default()).await.unwrap();
        assert_eq!(whole(&store, &key("__manifests/a.json")).await, "x");
        let page = store.list(&gitdeploy_core::keys::manifests(), None).await.unwrap();
        assert_eq!(page.objects.len(), 1);
        assert_eq!(server.requests(Operation::PutObject), 2, "{fault:?}");
        assert_eq!(server.requests(Operation::GetObject), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failure_that_stays_is_given_up_after_three_attempts() {
    let (server, store) = start().await;
    server.insert("a/b", "x", None);
    server.fail(Operation::GetObject, Fault::Status(500), usize::MAX);
    let error = store.get(&key("a/b"), Get::default()).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(
        chain(&error),
        "the store is unavailable: cannot read `a/b` in `sites`: it answered 500, InternalError: failed on demand"
    );
    assert_eq!(server.requests(Operation::GetObject), 3);
    assert!(store.check().await.is_err());
    server.clear_faults();
    assert_eq!(whole(&store, &key("a/b")).await, "x");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let (server, store) = start().await;
    for length in [10, 1_000_000] {
        server.insert("a/b", pattern(length), None);
        server.fail(Operation::GetObject, Fault::ShortBody, 1);
        let error = store.read(&key("a/b"), u64::MAX).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(whole(&store, &key("a/b")).await == pattern(length));
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_an_error() {
    let (server, store) = start().await;
    server.insert("a/b", pattern(1_000_000), None);
    server.fail(Operation::GetObject, Fault::StalledBody, 1);
    let object = store.get(&key("a/b"), Get::default()).await.unwrap();
    let ObjectBody::Stream(mut body) = object.body else { panic!("{object:?}") };
    let mut received = 0;
    while received < 500_000 {
        received += body.next().await.unwrap().unwrap().len();
    }
    tokio::time::pause();
    let error = body.next().await.unwrap().unwrap_err();
    assert_eq!(chain(&error), "the store is unavailable: cannot read all of `a/b`: nothing came for 20 s");
}

#[tokio::test]
async fn a_reader_who_takes_pauses_is_not_cut_off() {
    let (server, store) = start().await;
    server.insert("a/b", pattern(1_000_000), None);
    let object = store.get(&key("a/b"), Get::default()).await.unwrap();
    let ObjectBody::Stream(mut body) = object.body else { panic!("{object:?}") };
    let mut received = body.next().await.unwrap().unwrap().len();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_mins(10)).await;
    tokio::time::resume();
    while let Some(piece) = body.next().await {
        received += piece.unwrap().len();
    }
    assert_eq!(received, 1_000_000);
}

#[tokio::test]
async fn a_conditional_write_whose_answer_was_lost_succeeds() {
    let (server, store) = start().await;
    server.fail(Operation::PutObject, Fault::LostAnswer, 1);
    let etag = store.put(&key("a/b"), bytes("x"), when(Precondition::Absent)).await.unwrap();
    assert_eq!(server.requests(Operation::PutObject), 2);
    assert_eq!(store.head(&key("a/b")).await.unwrap().etag, etag);

    server.fail(Operation::PutObject, Fault::LostAnswer, 1);
    let etag = store.put(&key("a/b"), bytes("y"), when(Precondition::Matches(etag))).await.unwrap();
    assert_eq!(store.head(&key("a/b")).await.unwrap().etag, etag);
    assert_eq!(server.object("a/b").unwrap(), "y");
}

#[tokio::test]
async fn a_conflict_while_writing_is_a_change() {
    let (server, store) = start().await;
    server.fail(Operation::PutObject, Fault::Status(409), usize::MAX);
    let error = store.put(&key("a/b"), bytes("x"), when(Precondition::Absent)).await.unwrap_err();
    assert!(matches!(error, StoreError::Changed(_)), "{error:?}");
}

#[tokio::test]
async fn what_the_store_refuses_is_not_tried_again() {
    let (server, store) = start().await;
    server.fail(Operation::PutObject, Fault::Status(403), usize::MAX);
    let error = store.put(&key("a/b"), bytes("x"), Put::default()).await.unwrap_err();
    assert!(!error.is_transient());
    let expected = "the store refuses `a/b`: it answered 403, AccessDenied: failed on demand";
    assert_eq!(chain(&error), expected);
    assert_eq!(server.requests(Operation::PutObject), 1);
    server.fail(Operation::GetObject, Fault::Status(403), 1);
    store.check().await.expect("a store that refuses us one object can be reached");
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let server = S3Server::start().await.unwrap();
    let store = open(&StoreConfig { bucket: Some("nowhere".to_owned()), ..config(&server) }).await;
    for error in [
        store.check().await.unwrap_err(),
        store.get(&key("a/b"), Get::default()).await.unwrap_err(),
        store.put(&key("a/b"), bytes("x"), Put::default()).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
        let reason = "there is no bucket `nowhere`: make it or correct `GITDEPLOY_STORE_BUCKET`";
        assert!(chain(&error).ends_with(reason), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_wrong_key_is_noticed_and_never_shown() {
    let server = S3Server::start().await.unwrap();
    let right = config(&server);
    let access = S3Access {
        secret_access_key: "hunter2-secret".to_owned().into(),
        session_token: Some("hunter2-token".to_owned().into()),
        ..right.access.clone().unwrap()
    };
    let wrong = StoreConfig { access: Some(access), ..right };
    let store = open(&wrong).await;
    let error = store.check().await.unwrap_err();
    assert!(chain(&error).contains("SignatureDoesNotMatch"), "{}", chain(&error));
    let all = format!("{error:?} {} {wrong:?} {store:?}", chain(&error));
    assert!(!all.contains("hunter2"), "{all}");
}

/// 70 MiB, most of it a hole.
pub(super) fn large_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(70 * 1024 * 1024).unwrap();
    for part in 0..5 {
        file.seek(std::io::SeekFrom::Start(part * 16 * 1024 * 1024 - u64::from(part > 0) * 2)).unwrap();
        write!(file, "part {part}").unwrap();
    }
    file
}

#[tokio::test]
async fn a_large_file_is_written_in_parts() {
    let (server, store) = start().await;
    let file = large_file();
    let content = Content::File(file.path().to_owned());
    let put = Put { content_type: Some("video/mp4".to_owned()), ..Put::default() };
    let etag = store.put(&key("a/large"), content, put).await.unwrap();
    assert_eq!(server.requests(Operation::UploadPart), 5);
    assert_eq!(server.requests(Operation::PutObject), 0);
    assert_eq!(server.open_uploads(), 0);
    assert!(server.object("a/large").unwrap() == std::fs::read(file.path()).unwrap());
    assert_eq!(server.content_type("a/large").as_deref(), Some("video/mp4"));
    assert_eq!(store.head(&key("a/large")).await.unwrap().etag, etag);
}

#[tokio::test]
async fn a_large_file_is_created_once() {
    let (server, store) = start().await;
    let file = large_file();
    let content = Content::File(file.path().to_owned());
    server.fail(Operation::CompleteMultipartUpload, Fault::LostAnswer, 1);
    server.fail(Operation::UploadPart, Fault::Status(500), 2);
    store.put(&key("a/large"), content.clone(), when(Precondition::Absent)).await.unwrap();
    let error = store.put(&key("a/large"), content, when(Precondition::Absent)).await.unwrap_err();
    assert!(matches!(error, StoreError::Changed(_)), "{error:?}");
    assert_eq!(server.open_uploads(), 0);
}

#[tokio::test]
async fn a_large_file_that_fails_leaves_nothing() {
    let (server, store) = start().await;
    let file = large_file();
    server.fail(Operation::UploadPart, Fault::Status(403), 1);
    let error = store.put(&key("a/large"), Content::File(file.path().to_owned()), Put::default()).await;
    assert!(matches!(error, Err(StoreError::Denied { .. })), "{error:?}");
    assert_eq!((server.open_uploads(), server.keys()), (0, Vec::new()));
    assert_eq!(server.requests(Operation::AbortMultipartUpload), 1);
}

#[tokio::test]
async fn large_bytes_are_written_in_parts() {
    let (server, store) = start().await;
    let content = pattern(70_000_001);
    store.put(&key("a/large"), Content::Bytes(content.clone()), Put::default()).await.unwrap();
    assert!(server.object("a/large").unwrap() == content);
    assert_eq!(server.requests(Operation::UploadPart), 5);
}
