//! What a caller may rely on, asserted on every store: in memory, in a directory, and in S3 over the wire.

#![expect(clippy::unwrap_used, reason = "a test's own steps succeed or the test fails")]

mod careless;
mod directory;
mod environment;
mod every;
mod lent;
mod pace;
mod probe;
mod s3;
mod single_writer;

use bytes::Bytes;
use gitdeploy_core::Key;
use gitdeploy_runtime::section;
use gitdeploy_store::{Content, Get, ObjectStore, Precondition, Put, S3Access, StoreConfig};
use gitdeploy_test::s3::S3Server;

macro_rules! over_every_store {
    ($($test:ident)*) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::every::$test(&gitdeploy_store::ObjectStore::memory()).await;
            })*
        }

        mod in_a_directory {
            $(#[tokio::test]
            async fn $test() {
                let root = tempfile::tempdir().unwrap();
                super::every::$test(&gitdeploy_store::ObjectStore::directory(root.path()).unwrap()).await;
            })*
        }

        mod in_s3 {
            $(#[tokio::test]
            async fn $test() {
                let server = gitdeploy_test::s3::S3Server::start().await.unwrap();
                super::every::$test(&super::open(&super::config(&server)).await).await;
            })*
        }

        mod in_s3_by_a_single_writer {
            $(#[tokio::test]
            async fn $test() {
                let server = gitdeploy_test::s3::S3Server::start().await.unwrap();
                super::every::$test(&super::open(&super::single_writer(&server)).await).await;
            })*
        }
    };
}

over_every_store! {
    what_is_written_is_read
    an_empty_object_is_an_object
    a_large_object_comes_whole_and_in_parts
    a_file_is_written_as_its_bytes
    a_range_ends_at_the_last_byte
    a_range_outside_of_the_object_is_refused
    a_missing_object_is_said_to_be_missing
    a_reader_can_ask_for_the_content_it_knows
    a_reader_can_ask_for_other_content_than_it_knows
    the_last_unconditional_writer_wins
    one_of_many_creators_wins
    one_of_many_replacers_wins
    a_missing_object_cannot_be_replaced
    a_reader_keeps_the_content_it_began_with
    every_key_is_kept_as_it_is
    a_listing_comes_in_pages_and_in_order
    a_listing_is_of_one_prefix
    a_removed_object_is_gone
    a_copy_is_an_object_of_its_own
    a_copy_is_of_the_content_that_was_meant
    a_copy_replaces_what_was_there
    a_small_read_is_bounded
    the_store_can_be_reached_and_named
}

fn key(text: &str) -> Key {
    Key::from_listing(text).unwrap()
}

fn bytes(text: &str) -> Content {
    Content::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

fn when(precondition: Precondition) -> Put {
    Put { precondition, ..Put::default() }
}

/// Bytes that differ from their neighbours, so that a part in the wrong place shows.
fn pattern(length: usize) -> Bytes {
    (0_u32..).flat_map(u32::to_le_bytes).take(length).collect::<Vec<_>>().into()
}

async fn whole(store: &ObjectStore, key: &Key) -> Bytes {
    store.get(key, Get::default()).await.unwrap().read(u64::MAX).await.unwrap().1
}

async fn open(config: &StoreConfig) -> ObjectStore {
    ObjectStore::open(config).await.unwrap()
}

fn single_writer(server: &S3Server) -> StoreConfig {
    StoreConfig { single_writer: true, ..config(server) }
}

/// As a process reads it from its variables, except that these are not the process's own.
fn config(server: &S3Server) -> StoreConfig {
    let vars = server.vars();
    let access: S3Access = section("AWS_", &vars).unwrap();
    StoreConfig { access: Some(access), ..section("GITDEPLOY_STORE_", &vars).unwrap() }
}
