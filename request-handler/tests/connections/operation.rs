//! What the operator sees of the binary: health, readiness, metrics and the access log; and whom it believes.

use crate::process;
use crate::process::{Proxy, site};
use crate::server;
use crate::server::{SOON, ask, get, rest};
use gitdeploy_test::binary::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

#[tokio::test]
async fn an_answer_is_a_line_and_a_number() {
    let folder = site().await;
    let proxy = Proxy::start(&folder, &[]).await;
    let mut stream = proxy.connect().await;
    get(&mut stream, "blog.localhost", "/?token=secret").await;
    stream
        .write_all(b"GET /%0a%22/\xc2\x85x HTTP/1.1\r\nHost: blog.localhost\r\nUser-Agent: a\tb\r\n\r\n")
        .await
        .unwrap();
    server::head(&mut stream).await;
    let line = proxy.running.wait_for_line("user_agent\":\"a", SOON).await;
    let second: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&second["path"], &second["user_agent"]), (&"/%0a%22/\u{85}x".into(), &"a\tb".into()));
    assert_eq!((&second["status"], &second["decision"]), (&200.into(), &"front-page".into()));
    let lines = proxy.running.stdout();
    let first: Value = serde_json::from_str(&lines[0]).unwrap();
    for (field, value) in [
        ("status", Value::from(200)),
        ("method", "GET".into()),
        ("host", "blog.localhost".into()),
        ("path", "/".into()),
        ("protocol", "http/1.1".into()),
        ("bytes", 4.into()),
        ("aborted", false.into()),
        ("site", "blog".into()),
        ("deployment.id", "blog".into()),
        ("decision", "file".into()),
        ("redirect.line", Value::Null),
        ("headers.lines", Value::Array(Vec::new())),
        ("file", "index.html".into()),
        ("source", "store".into()),
        ("visitor.address", "127.0.0.1".into()),
        ("visitor.secure", false.into()),
    ] {
        assert_eq!(first[field], value, "{field} in {first}");
    }
    assert!(first["store_ms"].as_f64().unwrap() > 0.0);
    assert!(!lines.concat().contains("secret"));

    let metrics = proxy.operator("/metrics").await.1;
    for line in [
        r#"gitdeploy_proxy_requests_total{status="2xx",method="GET",protocol="http/1.1",source="store"} 1"#,
        r#"gitdeploy_proxy_open_connections{protocol="http/1.1"} 1"#,
        r#"gitdeploy_proxy_cache_entries{cache="files"} 1"#,
        "gitdeploy_proxy_lost_log_lines_total 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains(r#"gitdeploy_proxy_store_requests_total{operation="get",outcome="answered"}"#));
    assert!(metrics.ends_with("# EOF\n"));
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_told_as_aborted() {
    let folder = site().await;
    let proxy = Proxy::start(&folder, &[]).await;
    let mut stream = proxy.connect().await;
    ask(&mut stream, "blog.localhost", "/large.bin").await;
    drop(stream);
    let line: Value = serde_json::from_str(&proxy.running.wait_for_line("large.bin", SOON).await).unwrap();
    assert_eq!((&line["status"], &line["aborted"]), (&200.into(), &true.into()));
    assert!(line["bytes"].as_u64().unwrap() < process::LARGE as u64);
    assert!(proxy.operator("/metrics").await.1.contains("\ngitdeploy_proxy_aborted_answers_total 1\n"));
}

#[tokio::test]
async fn the_access_log_can_be_off() {
    let folder = site().await;
    let mut proxy = Proxy::start(&folder, &[("GITDEPLOY_PROXY_ACCESS_LOG", "false")]).await;
    get(&mut proxy.connect().await, "blog.localhost", "/").await;
    proxy.running.signal(Signal::SIGTERM);
    assert_eq!(proxy.running.wait(SOON).await, 0);
    assert_eq!(proxy.running.stdout(), [""; 0]);
}

#[tokio::test]
async fn all_lines_are_written_before_the_end() {
    let folder = site().await;
    let mut proxy = Proxy::start(&folder, &[]).await;
    let mut stream = proxy.connect().await;
    for _ in 0..500 {
        get(&mut stream, "blog.localhost", "/").await;
    }
    proxy.running.signal(Signal::SIGTERM);
    assert_eq!(proxy.running.wait(SOON).await, 0);
    assert_eq!(proxy.running.stdout().len(), 500);
}

#[tokio::test]
async fn readiness_has_a_reason() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let unready = process::program()
        .var("GITDEPLOY_STORE_BUCKET", "sites")
        .var("AWS_ENDPOINT_URL_S3", format!("http://{closed}"))
        .var("AWS_REGION", "us-east-1")
        .var("AWS_ACCESS_KEY_ID", "key")
        .var("AWS_SECRET_ACCESS_KEY", "secret")
        .start();
    let admin = process::field(&unready.wait_for_line("admin_address", SOON).await, "admin_address");
    let (head, body) = process::ask_operator(&admin, "/readyz").await;
    assert!(head.starts_with("HTTP/1.1 503 ") && body.starts_with("starting: the store"), "{body}");
    assert!(process::ask_operator(&admin, "/healthz").await.0.starts_with("HTTP/1.1 200 "));
    drop(unready);

    let folder = site().await;
    let mut proxy = Proxy::start(&folder, &[("GITDEPLOY_PROXY_DRAIN_DELAY_SECONDS", "4")]).await;
    assert!(proxy.operator("/readyz").await.0.starts_with("HTTP/1.1 200 "));
    // The store goes away: what is known is served on.
    get(&mut proxy.connect().await, "blog.localhost", "/").await;
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(proxy.operator("/readyz").await.0.starts_with("HTTP/1.1 200 "));
    let mut kept = proxy.connect().await;
    proxy.running.signal(Signal::SIGTERM);
    let objects = async {
        loop {
            let (head, body) = proxy.operator("/readyz").await;
            if head.starts_with("HTTP/1.1 503 ") {
                return body;
            }
        }
    };
    let body = tokio::time::timeout(SOON, objects).await.expect("it says so");
    assert!(body.starts_with("stopping: "), "{body}");
    // The port is still open, and whoever comes is answered, and told not to come again.
    let (head, page) = get(&mut proxy.connect().await, "blog.localhost", "/").await;
    assert!(head.contains("connection: close\r\n") && page == "home", "{head}");
    assert!(get(&mut kept, "blog.localhost", "/").await.0.contains("connection: close\r\n"));
    assert_eq!(rest(&mut kept).await, b"");
    assert_eq!(proxy.running.wait(SOON).await, 0);
}

#[tokio::test]
async fn the_visitor_is_the_one_of_whom_a_trusted_neighbour_speaks() {
    let folder = site().await;
    let settings =
        [("GITDEPLOY_PROXY_TRUSTED", "127.0.0.2"), ("GITDEPLOY_PROXY_COUNTRY_HEADER", "X-Country")];
    let proxy = Proxy::start(&folder, &settings).await;
    let headers =
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Country: de\r\nX-Forwarded-Host: x\r\n";
    for (last, expected) in [(1, "127.0.0.1 false null"), (2, "192.0.2.7 true \"DE\"")] {
        let mut stream = proxy.connect_from(last).await;
        let request =
            format!("GET / HTTP/1.1\r\nHost: blog.localhost\r\nUser-Agent: a{last}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(server::head(&mut stream).await.starts_with("HTTP/1.1 200 "));
        let line = proxy.running.wait_for_line(&format!("\"a{last}\""), SOON).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let [address, country] = ["visitor.address", "visitor.country"].map(|field| &line[field]);
        let found = format!("{} {} {country}", address.as_str().unwrap(), line["visitor.secure"]);
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_trusted_neighbour_begins_with_the_proxy_protocol() {
    let folder = site().await;
    let settings = [
        ("GITDEPLOY_PROXY_TRUSTED", "127.0.0.2"),
        ("GITDEPLOY_PROXY_PROXY_PROTOCOL", "true"),
        ("GITDEPLOY_PROXY_CONNECTIONS_PER_ADDRESS", "1"),
    ];
    let proxy = Proxy::start(&folder, &settings).await;
    let mut held = Vec::new();
    for source in ["192.0.2.7", "192.0.2.8", "192.0.2.8"] {
        let mut stream = proxy.connect_from(2).await;
        let header = format!("PROXY TCP4 {source} 127.0.0.1 4000 80\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        held.push((ask(&mut stream, "blog.localhost", "/").await, stream));
    }
    let statuses: Vec<_> = held.iter().map(|(head, _)| head.split(' ').nth(1).unwrap()).collect();
    assert_eq!(statuses, ["200", "200", "429"], "connections are counted by the address that is told");
    proxy.running.wait_for_line("\"visitor.address\":\"192.0.2.7\"", SOON).await;

    let mut silent = proxy.connect_from(2).await;
    silent.write_all(b"GET / HTTP/1.1\r\nHost: blog.localhost\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut silent).await, b"");
    let mut stranger = proxy.connect_from(3).await;
    stranger.write_all(b"PROXY TCP4 192.0.2.9 127.0.0.1 4000 80\r\n").await.unwrap();
    let answer = String::from_utf8(rest(&mut stranger).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "to a stranger it is a request that is none: {answer}");
    let counted = async {
        let line = r#"gitdeploy_proxy_refused_total{reason="proxy_header"} 1"#;
        while !proxy.operator("/metrics").await.1.contains(line) {}
    };
    tokio::time::timeout(SOON, counted).await.expect("it is counted");
}
