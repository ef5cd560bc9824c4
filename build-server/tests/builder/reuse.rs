//! What a deployment shares with the one before it is neither compressed nor sent again.

use std::os::unix::fs::MetadataExt as _;

use gitdeploy_core::keys;
use gitdeploy_core::manifest::Encoding;
use gitdeploy_test::git::Repository;
use gitdeploy_test::s3::{Fault, Operation};

use crate::bucket::{Bucket, Files, site};
use crate::harness::Builder;

const OLD: &str = "1m7wywrav60000000000";
const NEW: &str = "1m7wywrav70000000000";

/// The manifest and the log.
const ALWAYS: usize = 2;

/// The old site: seven files, of which three have variants. And a new one, of which one large and one small file is
/// new, and one has another name.
fn sites() -> (Files, Files) {
    let old = site(7, "old");
    let mut new = old.clone();
    for changed in [2, 3] {
        new[changed].1.push_str("/* changed */");
    }
    "renamed.css".clone_into(&mut new[4].0);
    (old, new)
}

#[tokio::test]
async fn what_is_the_same_is_copied_inside_the_store_with_its_variants() {
    let bucket = Bucket::new().await;
    let (old, new) = sites();
    let of_old = bucket.build(&old, Some(OLD)).await;
    bucket.server.forget_requests();
    let program = bucket.program(&new, Some(NEW)).var("GITDEPLOY_PREVIOUS", OLD);
    let of_new = bucket.run(program, &new, Some(NEW)).await;
    assert_eq!(of_new.files["renamed.css"].variants, of_old.files["4.css"].variants);
    assert_eq!(of_new.files["2.css"].variants.len(), 3);
    // Five files are the same, and two of them have variants.
    assert_eq!(bucket.server.requests(Operation::CopyObject), 5 + 2 * 3);
    assert_eq!(bucket.server.requests(Operation::PutObject), 2 + 3 + ALWAYS);
}

#[tokio::test]
async fn where_the_store_does_not_copy_variants_are_fetched_and_the_rest_is_sent() {
    let bucket = Bucket::new().await;
    let (old, new) = sites();
    let of_old = bucket.build(&old, Some(OLD)).await;
    bucket.server.fail(Operation::CopyObject, Fault::Status(501), usize::MAX);
    bucket.server.forget_requests();
    let program = bucket.program(&new, Some(NEW)).var("GITDEPLOY_PREVIOUS", OLD);
    let of_new = bucket.run(program, &new, Some(NEW)).await;
    assert_eq!(of_new.files["6.css"].variants, of_old.files["6.css"].variants);
    assert_eq!(bucket.server.requests(Operation::PutObject), 7 + 3 * 3 + ALWAYS);
}

#[tokio::test]
async fn what_the_old_deployment_lacks_is_made() {
    let bucket = Bucket::new().await;
    let (old, new) = sites();
    let gzip = bucket.program(&old, Some(OLD)).var("GITDEPLOY_BUILD_VARIANTS", "gzip");
    let of_old = bucket.run(gzip, &old, Some(OLD)).await;
    // One file is gone, which nobody but us could have done.
    bucket.server.remove(keys::output(&OLD.parse().unwrap(), &"1.css".parse().unwrap()).as_str());
    let program = bucket.program(&new, Some(NEW)).var("GITDEPLOY_PREVIOUS", OLD);
    let of_new = bucket.run(program, &new, Some(NEW)).await;
    let variants = &of_new.files["6.css"].variants;
    assert_eq!(variants.len(), 3);
    assert_eq!(variants[&Encoding::Gzip], of_old.files["6.css"].variants[&Encoding::Gzip]);
}

#[tokio::test]
async fn an_old_deployment_that_cannot_be_read_is_none() {
    let bucket = Bucket::new().await;
    let files = site(3, "new");
    bucket.server.insert(keys::manifest(&OLD.parse().unwrap()).as_str(), "{", None);
    for (previous, id) in [(OLD, NEW), ("1m7wywrav50000000000", "1m7wywrav80000000000")] {
        let program = bucket.program(&files, Some(id)).var("GITDEPLOY_PREVIOUS", previous);
        bucket.run(program, &files, Some(id)).await;
    }
    assert_eq!(bucket.server.requests(Operation::CopyObject), 0);
}

#[tokio::test]
async fn in_a_directory_the_same_file_has_two_names() {
    let builder = Builder::new().await;
    let page = "<p>the same</p>".repeat(200);
    let repository = Repository::new().file("index.html", &page).file("a.css", "a{}").commit("First");
    builder.build(&repository, &[("DEPLOYMENT_ID", OLD), ("GITDEPLOY_ATTEMPT", "1")]).await.assert_ready();
    let vars = [("DEPLOYMENT_ID", NEW), ("GITDEPLOY_ATTEMPT", "1"), ("GITDEPLOY_PREVIOUS", OLD)];
    builder.build(&repository, &vars).await.assert_ready();
    for path in ["__outputs/ID/index.html", "__outputs/ID/a.css", "__variants/ID/br/index.html"] {
        let inode = |id: &str| builder.object(&path.replace("ID", id)).metadata().unwrap().ino();
        assert_eq!(inode(NEW), inode(OLD), "{path}");
    }
}
