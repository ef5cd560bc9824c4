//! What is true of the catalog in DynamoDB only.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{Attempt, State};
use upload_service::catalog::{CatalogConfig, Filter, Finished};
use upload_service::{Catalog, CatalogError};

use crate::support::{at, ending, new, table};

#[tokio::test]
async fn a_missing_table_is_named() {
    let config = CatalogConfig { table: Some("nowhere".to_owned()), ..table().await };
    let error = Catalog::dynamodb(&config).await.unwrap().check().await.unwrap_err();
    assert!(!error.is_transient());
    let expected = "there is no table `nowhere` in DynamoDB: make it or correct `GITDEPLOY_CATALOG_TABLE`";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_service_that_is_away_may_come_back() {
    let mut config = table().await;
    // Nobody listens at the port of a listener that is gone.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.access.as_mut().unwrap().endpoint_url = Some(format!("http://{gone}"));
    let error = Catalog::dynamodb(&config).await.unwrap().check().await.unwrap_err();
    assert!(matches!(error, CatalogError::Unreachable { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn without_a_table_there_is_no_such_catalog() {
    assert!(Catalog::dynamodb(&CatalogConfig::default()).await.is_none());
}

/// Terraform makes the same table in production.
#[tokio::test]
async fn the_table_has_two_keys_no_index_and_forgets_what_has_expired() {
    let config = table().await;
    let client = client(&config);
    let table = config.table.as_deref().unwrap();
    let described = client.describe_table().table_name(table).send().await.unwrap().table.unwrap();
    let keys = described.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().as_str()));
    assert_eq!(keys.collect::<Vec<_>>(), [("pk", "HASH"), ("sk", "RANGE")]);
    let types = described.attribute_definitions().iter();
    assert!(types.map(|attribute| attribute.attribute_type().as_str()).eq(["S", "S"]));
    assert!(
        described.global_secondary_indexes().is_empty() && described.local_secondary_indexes().is_empty()
    );
    let time_to_live = client.describe_time_to_live().table_name(table).send().await.unwrap();
    let time_to_live = time_to_live.time_to_live_description.unwrap();
    assert_eq!(time_to_live.attribute_name(), Some("expires"));

    let catalog = Catalog::dynamodb(&config).await.unwrap();
    catalog.add_session(Sha256::of(b"session"), at(0), at(1500)).await.unwrap();
    catalog.add_code(Sha256::of(b"code"), at(0), at(1500)).await.unwrap();
    for (pk, secret) in [("session", "session"), ("code", "code")] {
        let hash = Sha256::of(secret.as_bytes()).to_string();
        let key = [("pk", pk.to_owned()), ("sk", hash)];
        let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
        let asked = client.get_item().table_name(table).set_key(Some(HashMap::from(key)));
        let item = asked.send().await.unwrap().item.unwrap();
        // In seconds, and not before the time itself.
        assert_eq!(item["expires"], AttributeValue::N((at(2000).as_second()).to_string()));
    }
}

#[tokio::test]
async fn a_list_longer_than_one_answer_is_read_to_its_end() {
    let catalog = Catalog::dynamodb(&table().await).await.unwrap();
    // An answer holds 1 MB.
    for number in 0..15 {
        let mut long = new("blog", number);
        long.origin.message = Some("m".repeat(150_000));
        catalog.create(long).await.unwrap();
    }
    let everything = Filter { limit: 100, ..Filter::default() };
    let blog = Filter { project: Some("blog".parse().unwrap()), ..everything.clone() };
    let queued = Filter { state: Some(State::Queued), ..everything.clone() };
    for filter in [everything, blog, queued] {
        let page = catalog.list(filter).await.unwrap();
        assert_eq!((page.items.len(), page.next), (15, None));
    }
    let part = Filter { limit: 11, state: Some(State::Queued), ..Filter::default() };
    let page = catalog.list(part).await.unwrap();
    assert_eq!((page.items.len(), page.next), (11, Some(page.items[10].id.clone())));
}

fn client(config: &CatalogConfig) -> Client {
    let access = config.access.as_ref().unwrap();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(access.endpoint_url.as_deref().unwrap())
        .credentials_provider(Credentials::new(&access.access_key_id, "testing", None, None, "tests"));
    Client::from_conf(config.build())
}

/// moto forgets the token of a request, so here it is the record that tells whose the change was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_turns_no_success_into_a_refusal() {
    let mut config = table().await;
    let access = config.access.as_mut().unwrap();
    let lose = Arc::new(AtomicBool::new(false));
    let address = access.endpoint_url.take().unwrap();
    access.endpoint_url = Some(losing(address.trim_start_matches("http://"), lose.clone()));
    let catalog = Catalog::dynamodb(&config).await.unwrap();
    let arm = || lose.store(true, Ordering::SeqCst);
    let answer_was_lost = || assert!(!lose.load(Ordering::SeqCst), "an answer was lost");

    arm();
    catalog.create(new("blog", 1)).await.unwrap();
    answer_was_lost();
    arm();
    let claimed = catalog.claim_oldest(at(2), at(10)).await.unwrap().unwrap();
    answer_was_lost();
    assert_eq!(claimed.attempt, Attempt::FIRST);
    arm();
    let taken = catalog.take_over(&claimed, at(11), at(20)).await.unwrap().unwrap();
    answer_was_lost();
    arm();
    let finished = catalog.finish(&taken.id, taken.attempt, ending(State::Ready), at(12)).await.unwrap();
    answer_was_lost();
    assert_eq!(finished, Finished::Promoted);
    arm();
    let code = Sha256::of(b"code");
    catalog.add_code(code, at(0), at(100)).await.unwrap();
    answer_was_lost();
    arm();
    assert!(catalog.use_code(code, at(1)).await.unwrap());
    answer_was_lost();
    assert!(!catalog.use_code(code, at(1)).await.unwrap());
    arm();
    assert_eq!(catalog.keep_secret("token", vec![1]).await.unwrap(), [1]);
    answer_was_lost();
}

/// A way to `server` on which the answer to the next write is lost when `lose` says so. Returns its address.
fn losing(server: &str, lose: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (server, lose) = (server.clone(), lose.clone());
            std::thread::spawn(move || {
                let client = client.unwrap();
                let there = TcpStream::connect(server).unwrap();
                let (mut from, mut back) = (BufReader::new(&client), BufReader::new(&there));
                while let Some(request) = message(&mut from) {
                    (&there).write_all(&request).unwrap();
                    let Some(answer) = message(&mut back) else { return };
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let writes =
                        ["WriteItems", "UpdateItem", "PutItem"].iter().any(|word| request.contains(word));
                    if writes && lose.swap(false, Ordering::SeqCst) {
                        return;
                    }
                    if (&client).write_all(&answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// The next message of HTTP with the body that its head announces; absent: there is none.
fn message(from: &mut impl std::io::BufRead) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        message.extend_from_slice(line.as_bytes());
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let head = message.len();
    message.resize(head + length, 0);
    from.read_exact(&mut message[head..]).ok()?;
    Some(message)
}
