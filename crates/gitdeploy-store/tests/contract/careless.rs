//! A store that ignores conditions, or keeps them in two steps, and calls objects as it likes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};

use gitdeploy_store::{Conditions, Get, ObjectStore, Precondition, Put, S3Access, StoreConfig, StoreError};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{bytes, every, key, open, when, whole};

/// It ends when it is dropped.
struct Careless {
    config: StoreConfig,
    objects: Objects,
    serving: JoinHandle<()>,
}

type Objects = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// How many of those that race have looked.
type Looked = Arc<watch::Sender<u32>>;

/// The `ETag` of a content, in the answer to a request with this method.
type Name = fn(method: &str, content: &str) -> String;

impl Careless {
    async fn start(name: Name) -> Self {
        Self::start_with(name, None).await
    }

    /// Looks whether a condition holds, and of those that race writes none before a second has looked.
    async fn start_racing() -> Self {
        Self::start_with(quoted, Some(Arc::default())).await
    }

    async fn start_with(name: Name, looked: Option<Looked>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let access = S3Access {
            endpoint_url_s3: Some(format!("http://{}", listener.local_addr().unwrap())),
            region: None,
            access_key_id: "key".to_owned(),
            secret_access_key: "secret".to_owned().into(),
            session_token: None,
        };
        let bucket = Some("sites".to_owned());
        let config = StoreConfig { bucket, path_style: true, access: Some(access), ..StoreConfig::default() };
        let objects = Objects::default();
        let serving = tokio::spawn(accept(listener, Arc::clone(&objects), name, looked));
        Self { config, objects, serving }
    }

    async fn open(&self, single_writer: bool) -> ObjectStore {
        open(&StoreConfig { single_writer, ..self.config.clone() }).await
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

impl Drop for Careless {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, objects: Objects, name: Name, looked: Option<Looked>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(BufReader::new(stream), Arc::clone(&objects), name, looked.clone()));
    }
}

/// Answers requests until the client goes.
async fn serve(mut stream: BufReader<TcpStream>, objects: Objects, name: Name, looked: Option<Looked>) {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match stream.read_line(&mut head).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        let mut words = head.split([' ', '?']);
        let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
        let answer = match &looked {
            Some(_) if !holds(&head, objects.lock().unwrap().get(&path)) => {
                b"HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n".to_vec()
            }
            Some(looked) if body == b"raced" => {
                looked.send_modify(|number| *number += 1);
                looked.subscribe().wait_for(|number| *number > 1).await.unwrap();
                answer(method, path, body, &objects, name)
            }
            _ => answer(method, path, body, &objects, name),
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn holds(head: &str, content: Option<&Vec<u8>>) -> bool {
    let if_match = head.lines().find_map(|line| line.strip_prefix("if-match: "));
    let creates = head.lines().any(|line| line == "if-none-match: *");
    let etag = content.map(|content| quoted("", &hash(content)));
    if_match.is_none_or(|name| etag.as_deref() == Some(name)) && !(creates && content.is_some())
}

fn hash(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn answer(method: &str, path: String, sent: Vec<u8>, objects: &Objects, name: Name) -> Vec<u8> {
    let mut objects = objects.lock().unwrap();
    let found = match method {
        "PUT" => {
            objects.insert(path, sent.clone());
            Some(sent)
        }
        "DELETE" => objects.remove(&path),
        _ => objects.get(&path).cloned(),
    };
    let Some(content) = found else {
        return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
    };
    let etag = name(method, &hash(&content));
    let length = if matches!(method, "GET" | "HEAD") { content.len() } else { 0 };
    let mut answer =
        format!("HTTP/1.1 200 OK\r\netag: {etag}\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    if method == "GET" {
        answer.extend(content);
    }
    answer
}

fn quoted(_: &str, content: &str) -> String {
    format!("\"{content}\"")
}

/// As when a proxy before the store compresses what it hands out.
fn spelled_in_three_ways(method: &str, content: &str) -> String {
    match method {
        "PUT" => content.to_owned(),
        "HEAD" => quoted(method, content),
        _ => format!("W/\"{content}\""),
    }
}

fn another_after_writing(method: &str, content: &str) -> String {
    format!("\"{content}-{}\"", if method == "PUT" { "new" } else { "kept" })
}

#[tokio::test]
async fn it_is_refused_for_routes() {
    let server = Careless::start(quoted).await;
    let error = server.open(false).await.probe().await.unwrap_err();
    assert!(matches!(error, StoreError::Unsuitable(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the S3 bucket `sites` ignores `If-None-Match`: two writers could overwrite each other's routes; use a \
         store with conditional writes, or set `GITDEPLOY_STORE_SINGLE_WRITER=true` if only one upload service \
         runs"
    );
    assert!(server.keys().is_empty(), "{:?}", server.keys());
}

#[tokio::test]
async fn it_is_used_by_a_single_writer() {
    let server = Careless::start(quoted).await;
    let store = server.open(true).await;
    assert_eq!(store.probe().await.unwrap(), Conditions::Ignored { header: "If-None-Match" });
    assert!(server.keys().is_empty(), "{:?}", server.keys());
    every::one_of_many_creators_wins(&store).await;
    every::one_of_many_replacers_wins(&store).await;
    every::a_missing_object_cannot_be_replaced(&store).await;
}

#[tokio::test]
async fn it_is_refused_for_routes_if_it_looks_and_writes_in_two_steps() {
    let server = Careless::start_racing().await;
    let error = server.open(false).await.probe().await.unwrap_err();
    let start = "the S3 bucket `sites` ignores `If-Match` when several write at once: two writers could";
    assert!(error.to_string().starts_with(start), "{error}");
    assert!(server.keys().is_empty(), "{:?}", server.keys());
    let server = Careless::start_racing().await;
    let conditions = server.open(true).await.probe().await.unwrap();
    assert_eq!(conditions, Conditions::Raced { header: "If-Match" });
}

#[tokio::test]
async fn its_readers_get_what_they_ask_for_or_hear_of_the_change() {
    let server = Careless::start(quoted).await;
    let store = server.open(false).await;
    every::a_reader_can_ask_for_the_content_it_knows(&store).await;
    every::a_reader_can_ask_for_other_content_than_it_knows(&store).await;
}

#[tokio::test]
async fn names_may_be_spelled_in_several_ways() {
    let server = Careless::start(spelled_in_three_ways).await;
    let store = server.open(true).await;
    store.probe().await.unwrap();
    let etag = store.put(&key("a/b"), bytes("x"), Put::default()).await.unwrap();
    assert_eq!(store.head(&key("a/b")).await.unwrap().etag, etag);
    let get = Get { if_match: Some(etag.clone()), ..Get::default() };
    assert_eq!(store.get(&key("a/b"), get).await.unwrap().meta.etag, etag);
    store.put(&key("a/b"), bytes("y"), when(Precondition::Matches(etag))).await.unwrap();
    assert_eq!(whole(&store, &key("a/b")).await, "y");
}

#[tokio::test]
async fn a_store_that_calls_objects_otherwise_after_writing_is_refused_to_everybody() {
    let server = Careless::start(another_after_writing).await;
    for single_writer in [false, true] {
        let error = server.open(single_writer).await.probe().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the S3 bucket `sites` cannot be used: an object that was written is not read at once with the `ETag` \
             that the write was answered with"
        );
        assert!(server.keys().is_empty(), "{:?}", server.keys());
    }
}
