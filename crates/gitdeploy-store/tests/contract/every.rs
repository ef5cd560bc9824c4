//! The assertions that hold for every store.

use std::collections::BTreeSet;
use std::io::Write as _;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gitdeploy_core::{Key, KeyPrefix, OutputId, keys};
use gitdeploy_store::{
    ByteRange, Content, Copy, ETag, Get, ObjectBody, ObjectStore, Precondition, Put, StoreError,
};

use super::{bytes, key, pattern, when, whole};

pub(super) async fn what_is_written_is_read(store: &ObjectStore) {
    let put = Put { content_type: Some("text/html".to_owned()), ..Put::default() };
    let etag = store.put(&key("a/index.html"), bytes("hello"), put).await.unwrap();
    let (meta, content) = store.read(&key("a/index.html"), 100).await.unwrap();
    assert_eq!(content, "hello");
    assert_eq!((meta.bytes, &meta.etag), (5, &etag));
    assert!(etag.0.starts_with('"') && etag.0.ends_with('"'), "{etag:?}");
    assert_eq!(store.head(&key("a/index.html")).await.unwrap(), meta);
    assert!(meta.content_type.is_none_or(|kind| kind == "text/html"));
}

pub(super) async fn an_empty_object_is_an_object(store: &ObjectStore) {
    store.put(&key("a/empty"), bytes(""), Put::default()).await.unwrap();
    let (meta, content) = store.read(&key("a/empty"), 0).await.unwrap();
    assert_eq!((meta.bytes, content.len()), (0, 0));
    let error = range(store, "a/empty", 0, 0).await.unwrap_err();
    assert!(matches!(error, StoreError::RangeNotSatisfiable), "{error}");
}

pub(super) async fn a_large_object_comes_whole_and_in_parts(store: &ObjectStore) {
    let content = pattern(3_000_001);
    store.put(&key("a/large"), Content::Bytes(content.clone()), Put::default()).await.unwrap();
    assert!(whole(store, &key("a/large")).await == content);
    for (start, end) in [(0, 0), (1, 65_536), (65_535, 1_048_576), (2_999_999, 3_000_000), (7, 3_000_000)] {
        let part = range(store, "a/large", start, end).await.unwrap();
        let indices = usize::try_from(start).unwrap()..=usize::try_from(end).unwrap();
        assert!(part == content[indices], "{start}-{end}");
    }
}

pub(super) async fn a_file_is_written_as_its_bytes(store: &ObjectStore) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pattern(200_000)).unwrap();
    let content = Content::File(file.path().to_owned());
    let etag = store.put(&key("a/file"), content, Put::default()).await.unwrap();
    assert!(whole(store, &key("a/file")).await == pattern(200_000));
    assert_eq!(store.head(&key("a/file")).await.unwrap().etag, etag);
    let missing = Content::File(file.path().with_extension("missing"));
    assert!(store.put(&key("a/missing"), missing, Put::default()).await.is_err());
    assert!(matches!(store.head(&key("a/missing")).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn a_range_ends_at_the_last_byte(store: &ObjectStore) {
    store.put(&key("a/b"), bytes("0123456789"), Put::default()).await.unwrap();
    for (start, end, expected) in [(0, 3, "0123"), (9, 9, "9"), (4, 99, "456789"), (4, u64::MAX, "456789")] {
        assert_eq!(range(store, "a/b", start, end).await.unwrap(), expected);
    }
    let get = Get { range: Some(ByteRange { start: 2, end: 3 }), ..Get::default() };
    assert_eq!(store.get(&key("a/b"), get).await.unwrap().meta.bytes, 10, "the size is that of the whole");
}

pub(super) async fn a_range_outside_of_the_object_is_refused(store: &ObjectStore) {
    store.put(&key("a/b"), bytes("0123456789"), Put::default()).await.unwrap();
    for (start, end) in [(10, 10), (10, 20), (u64::MAX, u64::MAX), (5, 4)] {
        let error = range(store, "a/b", start, end).await.unwrap_err();
        assert!(matches!(error, StoreError::RangeNotSatisfiable), "{start}-{end}: {error}");
    }
}

pub(super) async fn a_missing_object_is_said_to_be_missing(store: &ObjectStore) {
    let missing = key("a/nothing");
    assert!(matches!(store.get(&missing, Get::default()).await, Err(StoreError::NotFound(_))));
    let error = store.head(&missing).await.unwrap_err();
    assert!(!error.is_transient());
    assert_eq!(error.to_string(), "there is no object `a/nothing`");
    store.delete(&missing).await.unwrap();
}

pub(super) async fn a_reader_can_ask_for_the_content_it_knows(store: &ObjectStore) {
    let first = store.put(&key("a/b"), bytes("one"), Put::default()).await.unwrap();
    let get = Get { if_match: Some(first), ..Get::default() };
    assert_eq!(store.get(&key("a/b"), get.clone()).await.unwrap().read(9).await.unwrap().1, "one");
    store.put(&key("a/b"), bytes("two"), Put::default()).await.unwrap();
    assert!(matches!(store.get(&key("a/b"), get.clone()).await, Err(StoreError::Changed(_))));
    store.delete(&key("a/b")).await.unwrap();
    assert!(matches!(store.get(&key("a/b"), get).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn a_reader_can_ask_for_other_content_than_it_knows(store: &ObjectStore) {
    let first = store.put(&key("a/b"), bytes("one"), Put::default()).await.unwrap();
    let get = Get { if_none_match: Some(first), ..Get::default() };
    assert!(matches!(store.get(&key("a/b"), get.clone()).await, Err(StoreError::NotModified)));
    store.put(&key("a/b"), bytes("two"), Put::default()).await.unwrap();
    assert_eq!(store.get(&key("a/b"), get).await.unwrap().read(9).await.unwrap().1, "two");
}

pub(super) async fn the_last_unconditional_writer_wins(store: &ObjectStore) {
    for content in ["one", "two", "a longer one"] {
        store.put(&key("a/b"), bytes(content), Put::default()).await.unwrap();
        assert_eq!(whole(store, &key("a/b")).await, content);
    }
}

pub(super) async fn one_of_many_creators_wins(store: &ObjectStore) {
    let winner = one_wins(store, Precondition::Absent).await;
    assert_eq!(whole(store, &key("a/raced")).await, winner);
}

pub(super) async fn one_of_many_replacers_wins(store: &ObjectStore) {
    for _ in 0..4 {
        let etag = store.put(&key("a/raced"), bytes("before"), Put::default()).await.unwrap();
        let winner = one_wins(store, Precondition::Matches(etag)).await;
        assert_eq!(whole(store, &key("a/raced")).await, winner);
    }
}

pub(super) async fn a_missing_object_cannot_be_replaced(store: &ObjectStore) {
    let put = when(Precondition::Matches(ETag("\"0123\"".to_owned())));
    let error = store.put(&key("a/b"), bytes("x"), put).await.unwrap_err();
    assert!(matches!(error, StoreError::Changed(_)), "{error}");
    assert!(matches!(store.head(&key("a/b")).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn a_reader_keeps_the_content_it_began_with(store: &ObjectStore) {
    let content = pattern(2_000_000);
    store.put(&key("a/b"), Content::Bytes(content.clone()), Put::default()).await.unwrap();
    let object = store.get(&key("a/b"), Get::default()).await.unwrap();
    store.put(&key("a/b"), bytes("other"), Put::default()).await.unwrap();
    store.delete(&key("a/b")).await.unwrap();
    assert!(object.read(u64::MAX).await.unwrap().1 == content);
}

pub(super) async fn every_key_is_kept_as_it_is(store: &ObjectStore) {
    let names = [
        "a b.html",
        " c",
        "d ",
        "100%.txt",
        "%2e%2e",
        "%2F",
        "1+1=2",
        "ü/日本語/🦀.html",
        "#top",
        "what?",
        "x&y;z",
        "'q\"",
        "[...slug].js",
        "<tag>",
        "back\\slash",
        "~tilde",
        "a//b",
        "(1)",
        "@scope,x",
        "*",
        "$&",
        "...",
    ];
    let expected: BTreeSet<Key> =
        names.iter().filter_map(|name| Key::from_listing(&format!("__outputs/site/{name}"))).collect();
    for key in &expected {
        store.put(key, bytes(key.as_str()), Put::default()).await.unwrap();
    }
    for key in &expected {
        assert_eq!(whole(store, key).await, key.as_str());
    }
    let listed = everything(store, &outputs("site")).await;
    assert_eq!(listed, expected.iter().cloned().collect::<Vec<_>>());
    for key in &expected {
        store.delete(key).await.unwrap();
        assert!(matches!(store.head(key).await, Err(StoreError::NotFound(_))), "{key}");
    }
    assert_eq!(everything(store, &outputs("site")).await, []);
}

pub(super) async fn a_listing_comes_in_pages_and_in_order(store: &ObjectStore) {
    // Directories that sort otherwise as keys than as names: `d-1` < `d/…` < `d0`.
    let names = (0..2500).map(|number| match number % 5 {
        0 => format!("d/{number}"),
        1 => format!("d-1/{number}"),
        2 => format!("d0/e/{number}"),
        3 => format!("d.{number}"),
        _ => format!("{number}"),
    });
    let expected: BTreeSet<Key> = names.map(|name| key(&format!("__outputs/site/{name}"))).collect();
    stream::iter(&expected)
        .map(|key| store.put(key, bytes("x"), Put::default()))
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    let first = store.list(&outputs("site"), None).await.unwrap();
    assert_eq!(first.objects.len(), 1000);
    assert!(first.objects.iter().all(|(_, bytes)| *bytes == 1));
    assert!(everything(store, &outputs("site")).await.into_iter().eq(expected));
}

pub(super) async fn a_listing_is_of_one_prefix(store: &ObjectStore) {
    for name in
        ["__outputs/a/x", "__outputs/a/y/z", "__outputs/a-b/x", "__outputs/ab/x", "__manifests/a.json"]
    {
        store.put(&key(name), bytes("x"), Put::default()).await.unwrap();
    }
    assert_eq!(everything(store, &outputs("a")).await, [key("__outputs/a/x"), key("__outputs/a/y/z")]);
    assert_eq!(everything(store, &keys::manifests()).await, [key("__manifests/a.json")]);
    assert_eq!(everything(store, &outputs("nothing")).await, []);
}

pub(super) async fn a_removed_object_is_gone(store: &ObjectStore) {
    store.put(&key("a/b/c"), bytes("x"), Put::default()).await.unwrap();
    store.put(&key("a/b/d"), bytes("y"), Put::default()).await.unwrap();
    store.delete(&key("a/b/c")).await.unwrap();
    store.delete(&key("a/b/c")).await.unwrap();
    assert!(matches!(store.head(&key("a/b/c")).await, Err(StoreError::NotFound(_))));
    assert_eq!(whole(store, &key("a/b/d")).await, "y");
    store.put(&key("a/b/c"), bytes("again"), when(Precondition::Absent)).await.unwrap();
}

pub(super) async fn a_copy_is_an_object_of_its_own(store: &ObjectStore) {
    for (index, name) in ["a b.html", "100%+.txt", "ü/🦀.html", "what?#top"].into_iter().enumerate() {
        let (from, to) = (key(&format!("from/{name}")), key(&format!("to/{index}/{name}")));
        let etag = store.put(&from, bytes(name), Put::default()).await.unwrap();
        let copy = Copy { content_type: Some("text/html".to_owned()), ..Copy::default() };
        let copied = store.copy(&from, &etag, &to, copy).await.unwrap();
        let meta = store.head(&to).await.unwrap();
        assert_eq!(meta.etag, copied, "{name}");
        assert!(meta.content_type.is_none_or(|kind| kind == "text/html"));

        store.put(&from, bytes("other"), Put::default()).await.unwrap();
        assert_eq!(whole(store, &to).await, name);
        store.delete(&from).await.unwrap();
        assert_eq!(whole(store, &to).await, name);
        store.put(&to, bytes("later"), when(Precondition::Matches(copied))).await.unwrap();
    }
}

pub(super) async fn a_copy_is_of_the_content_that_was_meant(store: &ObjectStore) {
    let (from, to) = (key("a/from"), key("a/to"));
    let etag = store.put(&from, bytes("one"), Put::default()).await.unwrap();
    store.put(&from, bytes("other"), Put::default()).await.unwrap();
    store.put(&to, bytes("old"), Put::default()).await.unwrap();
    let changed = store.copy(&from, &etag, &to, Copy::default()).await;
    assert!(matches!(changed, Err(StoreError::Changed(_))), "{changed:?}");
    store.delete(&from).await.unwrap();
    let missing = store.copy(&from, &etag, &to, Copy::default()).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
    assert_eq!(whole(store, &to).await, "old");
}

pub(super) async fn a_copy_replaces_what_was_there(store: &ObjectStore) {
    let (from, to) = (key("a/from"), key("a/to"));
    let etag = store.put(&from, bytes("new"), Put::default()).await.unwrap();
    store.put(&to, bytes("old"), Put::default()).await.unwrap();
    // The second time there is the same already.
    for _ in 0..2 {
        store.copy(&from, &etag, &to, Copy::default()).await.unwrap();
        assert_eq!(whole(store, &to).await, "new");
    }
    assert_eq!(whole(store, &from).await, "new");
}

pub(super) async fn a_small_read_is_bounded(store: &ObjectStore) {
    store.put(&key("a/b"), Content::Bytes(pattern(100_000)), Put::default()).await.unwrap();
    assert!(store.read(&key("a/b"), 100_000).await.is_ok());
    let error = store.read(&key("a/b"), 99_999).await.unwrap_err();
    assert_eq!(error.to_string(), "the object is larger than 99999 bytes");
}

pub(super) async fn the_store_can_be_reached_and_named(store: &ObjectStore) {
    store.check().await.unwrap();
    assert!(!store.describe().is_empty());
}

async fn range(store: &ObjectStore, name: &str, start: u64, end: u64) -> Result<bytes::Bytes, StoreError> {
    let get = Get { range: Some(ByteRange { start, end }), ..Get::default() };
    match store.get(&key(name), get).await?.body {
        ObjectBody::Bytes(bytes) => Ok(bytes),
        body @ ObjectBody::Stream(_) => body.read(u64::MAX).await,
    }
}

/// Sixteen writers at once. Returns what the one that was told it had written wrote.
async fn one_wins(store: &ObjectStore, precondition: Precondition) -> String {
    let writers = (0..16).map(|writer| {
        let (store, put) = (store.clone(), when(precondition.clone()));
        tokio::spawn(async move {
            let content = format!("writer {writer}");
            match store.put(&key("a/raced"), bytes(&content), put).await {
                Ok(_) => Some(content),
                Err(StoreError::Changed(_)) => None,
                Err(error) => panic!("{error}"),
            }
        })
    });
    let outcomes = futures_util::future::join_all(writers.collect::<Vec<_>>()).await;
    let mut winners: Vec<_> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    winners.remove(0)
}

pub(super) async fn everything(store: &ObjectStore, prefix: &KeyPrefix) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.list(prefix, after.as_deref()).await.unwrap();
        keys.extend(page.objects.into_iter().map(|(key, _)| key));
        match page.next {
            None => return keys,
            next => after = next,
        }
    }
}

pub(super) fn outputs(id: &str) -> KeyPrefix {
    keys::outputs(&id.parse::<OutputId>().unwrap())
}
