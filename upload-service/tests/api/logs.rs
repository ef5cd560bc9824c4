use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;
use gitdeploy_core::{DeploymentId, Event};

use crate::support::{PATIENCE, Platform, request, until};

const THREE_STEPS: &str = "
    phase build; log one; meet first
    log two; meet second
    log three; publish
";

/// A stream of server-sent events as it comes.
struct Stream {
    body: axum::body::BodyDataStream,
    buffer: String,
}

#[derive(Debug, PartialEq)]
struct Sent {
    id: u64,
    kind: String,
    event: Event,
}

impl Stream {
    async fn open(platform: &Platform, id: &DeploymentId, query: &str, last: Option<u64>) -> Self {
        let mut request = request(Method::GET, &format!("/v1/deployments/{id}/logs{query}"))
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = platform.raw(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), buffer: String::new() }
    }

    /// The next event; `None`: the stream was closed.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| {
                    let found = block.lines().find_map(|line| line.strip_prefix(name));
                    found.map(|value| value.trim().to_owned())
                };
                if let Some(data) = field("data:") {
                    return Some(Sent {
                        id: field("id:").unwrap().parse().unwrap(),
                        kind: field("event:").unwrap(),
                        event: serde_json::from_str(&data).unwrap(),
                    });
                }
                continue;
            }
            let piece = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("something comes");
            self.buffer.push_str(std::str::from_utf8(&piece?.unwrap()).unwrap());
        }
    }

    async fn ids(mut self) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some(sent) = self.next().await {
            assert_eq!(sent.id, sent.event.seq);
            ids.push(sent.id);
        }
        ids
    }
}

#[tokio::test]
async fn a_late_reader_gets_every_event_then_those_to_come_and_none_twice() {
    let platform = Platform::new(THREE_STEPS).await;
    let id = platform.deploy("blog").await;
    let early = Stream::open(&platform, &id, "", None).await;
    let early = tokio::spawn(early.ids());
    until(async || {
        (platform.get(&format!("/v1/deployments/{id}/logs")).await.text == "--- build\none\n").then_some(())
    })
    .await;
    let mut late = Stream::open(&platform, &id, "", None).await;
    let first = late.next().await.unwrap();
    assert_eq!((first.id, first.kind.as_str()), (1, "phase"));
    platform.go("first");
    let second = late.next().await.unwrap();
    assert_eq!((second.id, second.kind.as_str()), (2, "log"));
    platform.go("second");
    assert_eq!(late.ids().await, [3, 4, 5, 6]);
    assert_eq!(early.await.unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn whoever_sees_the_end_finds_the_deployment_final_and_its_route_moved() {
    let platform = Platform::new(THREE_STEPS).await;
    let id = platform.deploy("blog").await;
    let mut stream = Stream::open(&platform, &id, "", None).await;
    platform.go("first");
    platform.go("second");
    while let Some(sent) = stream.next().await {
        if sent.kind == "end" {
            assert_eq!(platform.get(&format!("/v1/deployments/{id}")).await.json()["production"], true);
            assert_eq!(platform.route("blog").await.unwrap().deployment, id);
        }
    }
}

#[tokio::test]
async fn a_reader_continues_where_it_was_cut_off() {
    let platform = Platform::new(THREE_STEPS).await;
    let id = platform.deploy("blog").await;
    platform.go("first");
    platform.in_state(&id, "building").await;
    let mut stream = Stream::open(&platform, &id, "", None).await;
    assert_eq!(stream.next().await.unwrap().id, 1);
    assert_eq!(stream.next().await.unwrap().id, 2);
    drop(stream);
    let resumed = Stream::open(&platform, &id, "?from=1", Some(2)).await;
    platform.go("second");
    assert_eq!(resumed.ids().await, [3, 4, 5, 6]);
    assert_eq!(Stream::open(&platform, &id, "?from=4", None).await.ids().await, [5, 6]);
}

#[tokio::test]
async fn after_the_end_a_browser_is_told_not_to_come_back() {
    let platform = Platform::new("publish").await;
    let id = platform.deploy("blog").await;
    platform.final_view(&id).await;
    let request = request(Method::GET, &format!("/v1/deployments/{id}/logs"))
        .header("accept", "text/event-stream")
        .header("last-event-id", "2");
    let answer = platform.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, &*answer.text), (StatusCode::NO_CONTENT, ""));
}

#[tokio::test]
async fn a_log_comes_as_text_as_json_and_from_any_place() {
    let platform = Platform::new(
        r#"
        phase build
        log '\u001b[32mgreen\u001b[0m <b>'
        event '"kind":"gap","lines":3,"reason":"were dropped"'
        event '"kind":"progress","phase":"upload","done":1,"unit":"files"'
        publish
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    platform.final_view(&id).await;
    let path = format!("/v1/deployments/{id}/logs");
    let text = platform.get(&path).await;
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(text.text, "--- build\ngreen <b>\n[3 lines were dropped]\n--- upload\n--- ready\n");
    let ndjson = async |query: &str| {
        let request =
            request(Method::GET, &format!("{path}{query}")).header("accept", "application/x-ndjson");
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        let events = answer.text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().seq);
        events.collect::<Vec<_>>()
    };
    assert_eq!(ndjson("").await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(ndjson("?from=4&follow=true").await, [5, 6]);
    assert_eq!(ndjson("?from=6").await, Vec::<u64>::new());
    assert_eq!(platform.get(&format!("{path}?from=x")).await.json()["code"], "query");
    let bad = request(Method::GET, &path).header("last-event-id", "x").body(Body::empty()).unwrap();
    assert_eq!(platform.send(bad).await.json()["code"], "last_event_id");
}

#[tokio::test]
async fn without_following_a_running_log_is_what_there_is() {
    let platform = Platform::new(THREE_STEPS).await;
    let id = platform.deploy("blog").await;
    let path = format!("/v1/deployments/{id}/logs");
    until(async || (platform.get(&path).await.text == "--- build\none\n").then_some(())).await;
    let waiting = platform.deploy("blog").await;
    assert_eq!(platform.get(&format!("/v1/deployments/{waiting}/logs")).await.text, "");
    platform.go("first");
    platform.go("second");
}

#[tokio::test]
async fn a_bus_that_lost_the_end_is_made_up_for_by_the_archive() {
    // The builder archives its log but does not say the end: as it is with a bus that is away.
    let platform = Platform::new(
        r#"
        phase build
        log one
        touch "$TMPDIR/running"; meet archive
        manifest
        "#,
    )
    .await;
    let id = platform.deploy("blog").await;
    let stream = Stream::open(&platform, &id, "", None).await;
    let reader = tokio::spawn(stream.ids());
    platform.met("running").await;
    let line = |seq: u64, rest: &str| format!("{{\"seq\":{seq},\"at\":0,{rest}}}\n");
    let ndjson = [
        line(1, r#""kind":"phase","phase":"build","state":"started""#),
        line(2, r#""kind":"notice","text":"one""#),
        line(3, r#""kind":"notice","text":"two""#),
        line(4, r#""kind":"end","state":"ready","files":1,"bytes":5"#),
    ]
    .concat();
    let archive = zstd::encode_all(ndjson.as_bytes(), 1).unwrap();
    let content = gitdeploy_store::Content::Bytes(archive.into());
    let key = gitdeploy_core::keys::log(&id.clone().into());
    platform.store.put(&key, content, gitdeploy_store::Put::default()).await.unwrap();
    platform.go("archive");
    assert_eq!(platform.final_view(&id).await["state"], "ready");
    assert_eq!(tokio::time::timeout(PATIENCE, reader).await.unwrap().unwrap(), [1, 2, 3, 4]);
    assert_eq!(
        platform.get(&format!("/v1/deployments/{id}/logs")).await.text,
        "--- build\nnote: one\nnote: two\n--- ready\n"
    );
}

#[tokio::test]
async fn streams_end_when_the_service_stops() {
    let platform = Platform::new(THREE_STEPS).await;
    let id = platform.deploy("blog").await;
    let mut stream = Stream::open(&platform, &id, "", None).await;
    assert_eq!(stream.next().await.unwrap().id, 1);
    platform.stopping.cancel();
    tokio::time::timeout(PATIENCE, stream.ids()).await.expect("the stream ends");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_shows_that_it_lives() {
    let platform = Platform::idle("").await;
    let id = platform.deploy("blog").await;
    let mut stream = Stream::open(&platform, &id, "", None).await;
    let greeting = stream.body.next().await.unwrap().unwrap();
    assert!(std::str::from_utf8(&greeting).unwrap().contains("retry:"));
    let begin = tokio::time::Instant::now();
    let heartbeat = stream.body.next().await.unwrap().unwrap();
    assert_eq!(&*heartbeat, b":\n\n");
    assert!(begin.elapsed() <= Duration::from_secs(16));
}
