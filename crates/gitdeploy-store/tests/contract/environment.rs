//! The store that a process's own variables select, as the binaries open it.

use std::process::Command;

use gitdeploy_runtime::{process_vars, section};
use gitdeploy_store::{ObjectStore, Put};
use gitdeploy_test::s3::S3Server;

use super::{bytes, key, whole};

/// Runs twice: as itself, and as a child of the test below with other variables.
#[tokio::test]
async fn the_store_that_the_environment_selects_keeps_objects() {
    let config = section("GITDEPLOY_STORE_", &process_vars().unwrap()).unwrap();
    let store = ObjectStore::open(&config).await.unwrap();
    store.put(&key("a/from-the-environment"), bytes("x"), Put::default()).await.unwrap();
    assert_eq!(whole(&store, &key("a/from-the-environment")).await, "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variables_of_the_sdk_lead_to_s3() {
    let server = S3Server::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "environment::the_store_that_the_environment_selects_keeps_objects"])
        .env_clear()
        .env("HOME", home.path())
        .env("GITDEPLOY_STORE_PREFIX", "below/")
        .envs(server.vars())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(server.keys(), ["below/a/from-the-environment"]);
}
