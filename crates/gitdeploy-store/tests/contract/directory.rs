//! What holds for directories only.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use futures_util::future::join_all;
use gitdeploy_store::{Content, Copy, ObjectStore, Precondition, Put, StoreError};

use super::every::{everything, outputs};
use super::{bytes, key, pattern, when, whole};

fn open(root: &Path) -> ObjectStore {
    ObjectStore::directory(root).unwrap()
}

#[tokio::test]
async fn a_key_is_a_path_that_a_person_can_look_at() {
    let root = tempfile::tempdir().unwrap();
    open(root.path()).put(&key("__outputs/site/index.html"), bytes("x"), Put::default()).await.unwrap();
    assert_eq!(std::fs::read(root.path().join("__outputs/site/index.html")).unwrap(), b"x");
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let root = tempfile::tempdir().unwrap();
    let etag = open(root.path()).put(&key("a/b"), bytes("x"), Put::default()).await.unwrap();
    let store = open(root.path());
    assert_eq!(whole(&store, &key("a/b")).await, "x");
    assert_eq!(store.head(&key("a/b")).await.unwrap().etag, etag);
}

#[tokio::test]
async fn a_copy_of_the_directory_keeps_the_names_of_contents() {
    let root = tempfile::tempdir().unwrap();
    let etag = open(&root.path().join("one")).put(&key("a/b"), bytes("x"), Put::default()).await.unwrap();
    let copied = Command::new("cp").arg("-a").arg("one").arg("two").current_dir(root.path()).status();
    assert!(copied.unwrap().success());
    assert_eq!(open(&root.path().join("two")).head(&key("a/b")).await.unwrap().etag, etag);
}

#[tokio::test]
async fn a_copy_takes_no_room_and_leaves_nothing() {
    use std::os::unix::fs::MetadataExt as _;
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let etag = store.put(&key("a/from"), bytes("x"), Put::default()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.copy(&key("a/from"), &etag, &key("a/to"), Copy::default()).await.unwrap(), etag);
    }
    let links = |name: &str| root.path().join(name).metadata().unwrap().nlink();
    assert_eq!((links("a/from"), links("a/to")), (2, 2));
    assert_eq!(root.path().join(".tmp").read_dir().unwrap().count(), 0);
}

/// The writer reads its content from a pipe, which holds it in the middle for as long as the test likes.
#[tokio::test]
async fn nothing_is_seen_of_an_object_while_it_is_being_written() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let pipe = root.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    store.put(&key("__outputs/site/b"), bytes("old"), Put::default()).await.unwrap();

    let writer = {
        let (store, content) = (store.clone(), Content::File(pipe.clone()));
        tokio::spawn(async move { store.put(&key("__outputs/site/b"), content, Put::default()).await })
    };
    let content = pattern(300_000);
    let (first, second) = content.split_at(150_000);
    let feed = |mut pipe: std::fs::File, part: Vec<u8>| {
        tokio::task::spawn_blocking(move || pipe.write_all(&part).map(|()| pipe))
    };
    let opened = tokio::task::spawn_blocking(move || std::fs::File::options().write(true).open(pipe));
    // The pipe holds 64 KiB: once all is written to it the writer has written most of it to its file.
    let pipe = feed(opened.await.unwrap().unwrap(), first.to_vec()).await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(root.path().join(".tmp")).unwrap().count(), 1);
    assert_eq!(whole(&store, &key("__outputs/site/b")).await, "old");
    assert_eq!(everything(&store, &outputs("site")).await, [key("__outputs/site/b")]);

    drop(feed(pipe, second.to_vec()).await.unwrap().unwrap());
    writer.await.unwrap().unwrap();
    assert!(whole(&store, &key("__outputs/site/b")).await == content);
    assert_eq!(std::fs::read_dir(root.path().join(".tmp")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_share_a_directory_exclude_each_other() {
    let root = tempfile::tempdir().unwrap();
    let stores = [open(root.path()), open(root.path())];
    stores[0].put(&key("a/count"), bytes("0"), Put::default()).await.unwrap();
    // Each adds 25 by reading and replacing: without exclusion some additions are lost.
    let adders = (0..4).map(|adder| {
        let store = stores[adder % 2].clone();
        tokio::spawn(async move {
            let mut added = 0;
            while added < 25 {
                let (meta, text) = store.read(&key("a/count"), 100).await.unwrap();
                let count: u32 = std::str::from_utf8(&text).unwrap().parse().unwrap();
                let put = when(Precondition::Matches(meta.etag));
                match store.put(&key("a/count"), bytes(&(count + 1).to_string()), put).await {
                    Ok(_) => added += 1,
                    Err(StoreError::Changed(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for adder in join_all(adders.collect::<Vec<_>>()).await {
        adder.unwrap();
    }
    assert_eq!(whole(&stores[1], &key("a/count")).await, "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_is_not_disturbed_by_those_who_empty_its_directory() {
    let root = tempfile::tempdir().unwrap();
    let stores = [open(root.path()), open(root.path())];
    let busy = (0..8).map(|number: usize| {
        let store = stores[number % 2].clone();
        tokio::spawn(async move {
            let own = key(&format!("a/b/c/{number}"));
            for _ in 0..25 {
                store.put(&own, bytes("x"), when(Precondition::Absent)).await.unwrap();
                assert_eq!(whole(&store, &own).await, "x");
                store.delete(&own).await.unwrap();
            }
        })
    });
    for ended in join_all(busy.collect::<Vec<_>>()).await {
        ended.unwrap();
    }
    assert!(!root.path().join("a").exists(), "the last one removes the directories");
}

#[tokio::test]
async fn a_key_that_no_file_can_have_is_refused_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    store.put(&key("a/b"), bytes("x"), Put::default()).await.unwrap();
    let long = format!("a/{}", "x".repeat(256));
    for (name, reason) in [
        ("a", "there are objects below it"),
        ("a/b/c", "a part of it is an object itself"),
        ("a/b/c/d", "a part of it is an object itself"),
        (&long, "the file system has no names that long"),
        (".lock", "the store keeps files of its own there"),
        (".tmp/x", "the store keeps files of its own there"),
    ] {
        for precondition in [Precondition::None, Precondition::Absent] {
            let error = store.put(&key(name), bytes("y"), when(precondition)).await.unwrap_err();
            let StoreError::Denied { source, .. } = &error else { panic!("{name}: {error:?}") };
            assert!(source.to_string().starts_with(reason), "{name}: {source}");
        }
        assert!(matches!(store.head(&key(name)).await, Err(StoreError::NotFound(_))), "{name}");
        store.delete(&key(name)).await.unwrap();
    }
    assert_eq!(whole(&store, &key("a/b")).await, "x");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = ObjectStore::directory(file.join("store")).unwrap_err();
    let expected = format!("the store is unavailable: cannot make the directory `{}/store`", file.display());
    assert_eq!(error.to_string(), expected);
    // A directory in which nobody can make files, not even root.
    let error = ObjectStore::directory("/proc/self").unwrap_err();
    assert!(error.to_string().contains("`/proc/self`"), "{error}");
}

#[tokio::test]
async fn a_directory_that_vanishes_is_no_empty_store() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("store"));
    std::fs::remove_dir_all(root.path().join("store")).unwrap();
    let error = store.check().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn what_dead_writers_left_is_removed_after_a_day() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    let day = std::time::Duration::from_hours(25);
    for (name, age) in [("fresh", std::time::Duration::ZERO), ("old", day)] {
        let file = std::fs::File::create(root.path().join(".tmp").join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    drop(open(root.path()));
    assert!(root.path().join(".tmp/fresh").exists());
    assert!(!root.path().join(".tmp/old").exists());
}
