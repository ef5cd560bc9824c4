//! Uploads to a store that has too much to do, or that fails, and builders that end in the middle of one.

use gitdeploy_core::manifest::Encoding;
use gitdeploy_test::s3::{Fault, Operation};

use crate::bucket::{Bucket, site};

#[tokio::test]
async fn a_store_that_is_busy_gets_the_whole_site() {
    let bucket = Bucket::new().await;
    bucket.server.fail(Operation::PutObject, Fault::BusyAbove(4), usize::MAX);
    let manifest = bucket.build(&site(80, "busy"), None).await;
    let variants: usize = manifest.files.values().map(|file| file.variants.len()).sum();
    assert_eq!(variants, 39 * Encoding::ALL.len());
    let calls = bucket.server.calls();
    assert!(calls.iter().any(|call| call.status == Some(503)), "it was busy");
}

#[tokio::test]
async fn files_that_fail_are_sent_again_and_the_others_are_not() {
    let bucket = Bucket::new().await;
    let faults = [Fault::Status(503), Fault::Status(500), Fault::Reset, Fault::LostAnswer];
    for fault in faults.clone() {
        bucket.server.fail(Operation::PutObject, fault, 10);
    }
    let files = site(40, "again");
    let manifest = bucket.build(&files, None).await;
    let variants: usize = manifest.files.values().map(|file| file.variants.len()).sum();
    // With the manifest and the log.
    let needed = files.len() + variants + 2;
    assert_eq!(bucket.server.requests(Operation::PutObject), needed + 10 * faults.len());
}

#[tokio::test]
async fn a_builder_that_is_killed_leaves_the_old_deployment_and_no_new_one() {
    const OLD: &str = "1m7wywrav60000000000";
    const NEW: &str = "1m7wywrav70000000000";
    let bucket = Bucket::new().await;
    let (old, new) = (site(6, "old"), site(6, "new"));
    bucket.build(&old, Some(OLD)).await;
    let stored = |bucket: &Bucket| -> Vec<_> {
        let of_old = |key: &String| key.contains(OLD);
        let keys = bucket.server.keys().into_iter().filter(of_old);
        keys.map(|key| (bucket.server.object(&key).unwrap(), key)).collect()
    };
    let before = stored(&bucket);
    // Six files and three copies of two of them; what follows is the manifest.
    for answered in [0, 1, 5, 8, 11, 12] {
        bucket.kill(bucket.program(&new, Some(NEW)), Operation::PutObject, answered).await;
        assert_eq!(bucket.manifest(NEW), None, "after {answered}");
        assert_eq!(stored(&bucket), before, "after {answered}");
        bucket.assert_true(OLD, &old);
    }
    let of_new = bucket.server.keys().into_iter().filter(|key| key.contains(NEW)).count();
    assert_eq!(of_new, 12, "the last time it was killed with the manifest on its way");
    bucket.build(&new, Some(NEW)).await;
}

#[tokio::test]
async fn a_builder_that_is_killed_while_it_replaces_a_site_leaves_one_of_the_two() {
    let bucket = Bucket::new().await;
    let (old, new) = (site(6, "old"), site(6, "new"));
    bucket.build(&old, None).await;
    // All six files have changed, so the seventh write is the switch.
    for answered in [0, 3, 6] {
        bucket.kill(bucket.program(&new, None), Operation::PutObject, answered).await;
        bucket.assert_true("site", &old);
    }
    // After it visitors see the new site, whatever has become of the files that are moved.
    let moments = [
        (Operation::CopyObject, 0),
        (Operation::CopyObject, 3),
        (Operation::PutObject, 7),
        (Operation::PutObject, 10),
        (Operation::PutObject, 13),
    ];
    for (step, (operation, answered)) in moments.into_iter().enumerate() {
        let new = site(6, &format!("new {step}"));
        bucket.kill(bucket.program(&new, None), operation, answered).await;
        bucket.assert_true("site", &new);
    }
    let new = site(5, "with fewer files");
    bucket.kill(bucket.program(&new, None), Operation::DeleteObject, 2).await;
    bucket.assert_true("site", &new);
    bucket.build(&site(6, "last"), None).await;
}
