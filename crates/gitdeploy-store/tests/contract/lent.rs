//! Keys that are replaced while a client lives.

use std::sync::Arc;
use std::time::Duration;

use gitdeploy_store::{Get, Keys, LentKeys, LentKeysSender, ObjectStore, Put, S3Access, StoreConfig};
use gitdeploy_test::s3::S3Server;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{bytes, config, key, open, whole};

fn keys(access: &S3Access) -> Keys {
    Keys {
        access_key_id: access.access_key_id.clone(),
        secret_access_key: access.secret_access_key.clone(),
        session_token: None,
        expires: None,
    }
}

fn wrong(keys: &Keys) -> Keys {
    Keys { secret_access_key: "wrong-secret".to_owned().into(), ..keys.clone() }
}

/// A store whose own keys are wrong, so that only the lent ones can open it.
async fn lent(server: &S3Server) -> (LentKeysSender, Keys, ObjectStore) {
    let config = config(server);
    let right = keys(config.access.as_ref().unwrap());
    let (sender, lent) = LentKeys::new(right.clone());
    let access =
        S3Access { secret_access_key: "wrong-secret".to_owned().into(), ..config.access.clone().unwrap() };
    let config = StoreConfig { access: Some(access), lent: Some(lent), ..config };
    (sender, right, open(&config).await)
}

#[tokio::test]
async fn the_newest_keys_are_used_from_the_next_request_on() {
    let server = S3Server::start().await.unwrap();
    let (sender, right, store) = lent(&server).await;
    store.put(&key("a/b"), bytes("x"), Put::default()).await.unwrap();

    // Neither an end that is far away nor one that is near keeps the old ones in use.
    let far = Timestamp::now() + Duration::from_hours(1);
    let near = Timestamp::now() + Duration::from_secs(1);
    for expires in [None, Some(far), Some(near)] {
        sender.replace(Keys { expires, ..wrong(&right) });
        let error = store.get(&key("a/b"), Get::default()).await.unwrap_err();
        assert!(!error.is_transient(), "{error:?}");
        sender.replace(Keys { expires, ..right.clone() });
        assert_eq!(whole(&store, &key("a/b")).await, "x");
    }
}

#[tokio::test]
async fn keys_whose_time_is_over_are_tried_and_the_store_decides() {
    let server = S3Server::start().await.unwrap();
    let (sender, right, store) = lent(&server).await;
    server.insert("a/b", "x", None);
    sender.replace(Keys { expires: Some(Timestamp::UNIX_EPOCH), ..right });
    assert_eq!(whole(&store, &key("a/b")).await, "x");
}

#[tokio::test]
async fn the_last_keys_stay_when_nobody_replaces_them() {
    let server = S3Server::start().await.unwrap();
    let (sender, _, store) = lent(&server).await;
    server.insert("a/b", "x", None);
    drop(sender);
    assert_eq!(whole(&store, &key("a/b")).await, "x");
}

#[tokio::test]
async fn what_is_lent_is_not_shown() {
    let server = S3Server::start().await.unwrap();
    let config = config(&server);
    let token = Some("hunter2-token".to_owned().into());
    let secret = "hunter2-secret".to_owned().into();
    let keys =
        Keys { session_token: token, secret_access_key: secret, ..keys(&config.access.clone().unwrap()) };
    let (sender, lent) = LentKeys::new(keys);
    let config = StoreConfig { lent: Some(lent), ..config };
    let store = open(&config).await;
    let error = store.check().await.unwrap_err();
    let shown = format!("{sender:?} {config:?} {store:?} {error:?}");
    assert!(shown.contains("LentKeys"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn keys_that_have_ended_are_asked_for_again() {
    for method in ["GET", "HEAD"] {
        let (asked, seen) = ask(method, Some("new")).await;
        asked.unwrap();
        assert_eq!(seen, ["old", "new"], "{method}");
    }
}

#[tokio::test]
async fn keys_that_have_ended_are_a_failure_that_may_pass() {
    for method in ["GET", "HEAD"] {
        let (asked, seen) = ask(method, None).await;
        assert!(asked.unwrap_err().is_transient(), "{method}");
        assert_eq!(seen, ["old"; 3], "{method}");
    }
}

/// Asks a server for which the keys with the token `old` have ended, and which replaces them, if `newer` says
/// by what, before it says so. What came of it, and the tokens that the server has seen.
async fn ask(
    method: &str,
    newer: Option<&'static str>,
) -> (Result<(), gitdeploy_store::StoreError>, Vec<String>) {
    let with = |token: &str| Keys {
        access_key_id: "ASIA".to_owned(),
        secret_access_key: "secret".to_owned().into(),
        session_token: Some(token.to_owned().into()),
        expires: None,
    };
    let (sender, lent) = LentKeys::new(with("old"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let access = S3Access {
        endpoint_url_s3: Some(format!("http://{}", listener.local_addr().unwrap())),
        region: None,
        access_key_id: "none".to_owned(),
        secret_access_key: "none".to_owned().into(),
        session_token: None,
    };
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let serving = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let token = token(&mut stream).await;
                if let Some(newer) = newer {
                    sender.replace(with(newer));
                }
                stream.write_all(answer(&token).as_bytes()).await.unwrap();
                seen.lock().unwrap().push(token);
            }
        }
    });
    let bucket = Some("sites".to_owned());
    let config = StoreConfig {
        bucket,
        path_style: true,
        access: Some(access),
        lent: Some(lent),
        ..StoreConfig::default()
    };
    let store = open(&config).await;
    let asked = match method {
        "GET" => store.get(&key("a/b"), Get::default()).await.map(drop),
        _ => store.head(&key("a/b")).await.map(drop),
    };
    serving.abort();
    let seen = seen.lock().unwrap().clone();
    (asked, seen)
}

/// The token of a request, of which the head is all.
async fn token(stream: &mut TcpStream) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(stream.read_u8().await.unwrap()));
    }
    let line = head.lines().find_map(|line| line.strip_prefix("x-amz-security-token: "));
    line.unwrap().to_owned()
}

fn answer(token: &str) -> String {
    let ended = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>";
    let (status, body) = if token == "old" { ("400 Bad Request", ended) } else { ("200 OK", "x") };
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\netag: \"1\"\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
