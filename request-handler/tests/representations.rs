//! How files are sent, where it takes more than one request, or a store that fails, to see it.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "support/bundle.rs"]
mod bundle;
#[path = "support/route.rs"]
mod route;
mod support;

use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::Encoding;
use gitdeploy_core::{DeploymentId, Route, keys};
use gitdeploy_runtime::section;
use gitdeploy_store::{ObjectStore, StoreConfig};
use gitdeploy_test::s3::{Fault, Operation, S3Server};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use request_handler::{Config, Handler};

#[tokio::test]
async fn several_parts_are_framed_and_fit_their_announcement() {
    let store = ObjectStore::memory();
    let large: Bytes = (0..9_000_000_u32).map(|at| b"0123456789abc"[at as usize % 13]).collect();
    let small = Bytes::from_static(b"0123456789");
    support::publish(&store, "blog", &[("large.bin", large.clone()), ("small.txt", small.clone())]).await;
    let handler = Handler::new(store, &Config::default());
    for (path, content, set, parts) in [
        ("/small.txt", &small, "bytes=-2,0-0", vec![8..=9, 0..=0]),
        ("/large.bin", &large, "bytes=8999990-,5-4000000", vec![8_999_990..=8_999_999, 5..=4_000_000]),
    ] {
        let (head, body) = ask(&handler, path, &[("range", set)]).await;
        assert_eq!(head.status(), 206);
        assert_eq!(head.headers()["content-length"], body.len().to_string());
        let content_type = head.headers()["content-type"].to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let type_ =
            if path.ends_with("txt") { "text/plain; charset=utf-8" } else { "application/octet-stream" };
        let mut expected = Vec::new();
        for part in parts {
            let (first, last, size) = (part.start(), part.end(), content.len());
            expected.extend(format!("\r\n--{boundary}\r\nContent-Type: {type_}\r\n").bytes());
            expected.extend(format!("Content-Range: bytes {first}-{last}/{size}\r\n\r\n").bytes());
            expected.extend(&content[part]);
        }
        expected.extend(format!("\r\n--{boundary}--\r\n").bytes());
        assert!(body == expected, "{path}");
    }
}

#[tokio::test]
async fn each_part_of_a_large_file_is_one_request_and_one_that_fails_ends_the_body() {
    let server = S3Server::start().await.unwrap();
    let vars = server.vars();
    let config = StoreConfig {
        access: Some(section("AWS_", &vars).unwrap()),
        ..section("GITDEPLOY_STORE_", &vars).unwrap()
    };
    let store = ObjectStore::open(&config).await.unwrap();
    let large = Bytes::from(vec![b'x'; 9_000_000]);
    // What is known of a deployment is not asked for again.
    let id = DeploymentId::new(Timestamp::UNIX_EPOCH, 1);
    support::publish(&store, id.as_str(), &[("large.bin", large)]).await;
    let handler = Handler::new(ObjectStore::open_for_reading(&config).await.unwrap(), &Config::default());
    let parts = || {
        let request = Request::get("/large.bin").header("host", format!("{}.localhost", id.as_str()));
        handler.answer(request.header("range", "bytes=0-9,20-29,40-49").body(String::new()).unwrap())
    };
    let body = parts().await.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"--\r\n"));

    server.forget_requests();
    parts().await.into_body().collect().await.unwrap();
    assert_eq!(server.requests(Operation::GetObject), 3);

    server.fail(Operation::GetObject, Fault::Delay(Duration::ZERO), 1);
    server.fail(Operation::GetObject, Fault::Status(404), 1);
    let response = parts().await;
    assert_eq!(response.status(), 206);
    assert!(response.into_body().collect().await.is_err(), "never a short success");
}

#[tokio::test]
async fn a_copy_that_is_missing_is_made_up_for_by_the_file() {
    let store = ObjectStore::memory();
    let files = [("a.css", Bytes::from_static(b"the file")), ("a.css [br]", Bytes::from_static(b"copy"))];
    support::publish(&store, "blog", &files).await;
    let copy = keys::variant(&"blog".parse().unwrap(), Encoding::Br, &"a.css".parse().unwrap());
    store.delete(&copy).await.unwrap();
    let handler = Handler::new(store, &Config::default());
    let (head, body) = ask(&handler, "/a.css", &[("accept-encoding", "br")]).await;
    assert_eq!((head.status().as_u16(), &body[..]), (200, &b"the file"[..]));
    assert!(!head.headers().contains_key("content-encoding"));
    assert_eq!(head.headers()["vary"], "accept-encoding");
    assert!(!head.headers()["etag"].to_str().unwrap().contains("-br"));
}

#[tokio::test]
async fn who_has_the_last_deployments_bundle_is_sent_what_has_changed() {
    let store = ObjectStore::memory();
    let [first, second] = [1, 2].map(|number| DeploymentId::new(Timestamp::UNIX_EPOCH, number));
    let earlier = Bytes::from(bundle::bundle());
    let later = Bytes::from(String::from_utf8(earlier.to_vec()).unwrap().replacen("state", "other", 1));
    let copy = |content: &Bytes| content.slice(..content.len() / 3);
    for (id, path, content) in
        [(&first, "assets/app-1a2b3c4d.js", &earlier), (&second, "assets/app-5e6f7a8b.js", &later)]
    {
        let (immutable, br) = (format!("{path} [immutable]"), format!("{path} [br]"));
        let files = [(immutable.as_str(), content.clone()), (br.as_str(), copy(content))];
        support::publish(&store, id.as_str(), &files).await;
    }
    route::lead(&store, "blog", &first).await;
    let handler = Handler::new(store.clone(), &Config::default());
    let all = ("accept-encoding", "gzip, br, zstd, dcb, dcz");
    let (head, _) = ask(&handler, "/assets/app-1a2b3c4d.js", &[all]).await;
    assert_eq!(head.headers()["use-as-dictionary"], "match=\"/assets/app-*.js\"");

    follow(&store, "blog", &first, &second).await;
    handler.invalidate("blog");
    let hash = Sha256::of(&earlier);
    let available = available(&hash);
    let has_it = [all, ("available-dictionary", available.as_str())];
    let mut answer = ask(&handler, "/assets/app-5e6f7a8b.js", &has_it).await;
    // On a machine that is busy the first visitors get the ordinary copy.
    for _ in 0..100 {
        if answer.0.headers()["content-encoding"] == "dcz" {
            break;
        }
        assert_eq!(answer.1, copy(&later));
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = ask(&handler, "/assets/app-5e6f7a8b.js", &has_it).await;
    }
    let (head, body) = answer;
    assert_eq!(head.headers()["content-encoding"], "dcz");
    assert_eq!(head.headers()["content-length"], body.len().to_string());
    assert!(body.len() < 300, "{} bytes", body.len());
    assert_eq!(&body[8..40], hash.as_bytes());
    let mut decoder = zstd::stream::read::Decoder::with_ref_prefix(&body[40..], &earlier[..]).unwrap();
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut decoder, &mut content).unwrap();
    assert!(content == later);
    let vary: Vec<_> = head.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["accept-encoding", "available-dictionary"]);

    let tag = head.headers()["etag"].to_str().unwrap();
    assert!(tag.contains("-dcz-"), "{tag}");
    let (head, _) = ask(&handler, "/assets/app-5e6f7a8b.js", &[all, ("if-none-match", tag)]).await;
    assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (304, &tag.parse().unwrap()));

    // Neither with another dictionary, nor without, nor for those who do not take it.
    let other = self::available(&Sha256::of(b"another"));
    for headers in [
        vec![all, ("available-dictionary", other.as_str())],
        vec![all],
        vec![("accept-encoding", "br"), has_it[1]],
    ] {
        let (head, body) = ask(&handler, "/assets/app-5e6f7a8b.js", &headers).await;
        assert_eq!(head.headers()["content-encoding"], "br", "{headers:?}");
        assert_eq!(body, copy(&later));
    }
}

/// Moves a route from one deployment to the next.
async fn follow(store: &ObjectStore, label: &str, from: &DeploymentId, to: &DeploymentId) {
    let route = Route::new("blog".parse().unwrap(), from.clone(), Timestamp::UNIX_EPOCH);
    let route = route.moved_to(to.clone(), Timestamp::UNIX_EPOCH);
    support::put(store, &keys::route(label).unwrap(), serde_json::to_vec(&route).unwrap().into()).await;
}

fn available(hash: &Sha256) -> String {
    use base64::Engine as _;
    format!(":{}:", base64::engine::general_purpose::STANDARD.encode(hash.as_bytes()))
}

async fn ask(handler: &Handler, path: &str, headers: &[(&str, &str)]) -> (Response<()>, Vec<u8>) {
    let request = Request::get(path).header("host", "blog.localhost");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (head, body) = handler.answer(request.body(String::new()).unwrap()).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (Response::from_parts(head, ()), body)
}
