use std::io::{Read as _, Write as _};

use axum::body::Body;
use axum::http::{Method, StatusCode};
use gitdeploy_core::keys;
use insta::assert_json_snapshot;

use crate::support::{Answer, Platform, request};

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        // Written by hand, for the library refuses to write what we have to refuse to read.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

fn site() -> Vec<u8> {
    archive(&[("index.html", b"hello"), ("assets/app.js", &[b'x'; 5000])])
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

async fn upload(platform: &Platform, media_type: &str, query: &str, body: Vec<u8>) -> Answer {
    let request = request(Method::POST, &format!("/v1/deployments?{query}"));
    platform.send(request.header("content-type", media_type).body(Body::from(body)).unwrap()).await
}

fn stored(platform: &Platform) -> Vec<String> {
    let directory = platform.directory.path().join("store/__uploads");
    let Ok(files) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    use tokio::io::AsyncReadExt as _;
    let mut packed = Vec::new();
    let mut encoder = async_compression::tokio::bufread::GzipEncoder::new(bytes);
    encoder.read_to_end(&mut packed).await.unwrap();
    packed
}

#[tokio::test]
async fn an_archive_is_stored_as_zstd_however_it_came() {
    let platform = Platform::idle("").await;
    let packed = [
        ("application/x-tar", site()),
        ("application/gzip", gzip(&site()).await),
        ("application/x-tar+gzip", gzip(&site()).await),
        ("application/zstd", zstd(&site())),
        ("application/x-tar+zstd", zstd(&site())),
    ];
    for (media_type, body) in packed {
        let answer = upload(&platform, media_type, "kind=prebuilt&project=blog", body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{media_type}: {}", answer.text);
        let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
        let (_, bytes) = platform.store.read(&keys::upload(&id), 1 << 20).await.unwrap();
        let mut unpacked = Vec::new();
        zstd::Decoder::new(&*bytes).unwrap().read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, site(), "{media_type}");
    }
    assert_eq!(platform.uploads(), 0);
}

#[tokio::test]
async fn an_archive_keeps_what_is_said_of_its_origin() {
    let platform = Platform::idle("").await;
    let query = "kind=source&repository=https://host/Blog.git&ref=main&commit=9f3c1e2&message=Fix%20nav\
                 &root=site&command=make&target=preview";
    let answer = upload(&platform, "application/x-tar", query, site()).await;
    assert_json_snapshot!(answer.json(), { ".id" => "[id]", ".url" => "[url]", ".created" => "[time]" }, @r#"
    {
      "attempt": 0,
      "created": "[time]",
      "id": "[id]",
      "phase": null,
      "production": false,
      "project": "blog",
      "source": {
        "commit": "9f3c1e2",
        "kind": "source",
        "message": "Fix nav",
        "reference": "main",
        "repository": "https://host/Blog.git"
      },
      "state": "queued",
      "target": "preview",
      "url": "[url]"
    }
    "#);
}

#[tokio::test]
async fn what_is_no_whole_archive_leaves_nothing_behind() {
    let platform = Platform::idle("").await;
    let whole = site();
    let zipped = gzip(&whole).await;
    let flipped = {
        let mut bytes = whole.clone();
        bytes[3] ^= 1;
        bytes
    };
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("garbage", "application/x-tar", b"not a tar archive at all".repeat(100), "upload.archive"),
        ("nothing", "application/x-tar", Vec::new(), "upload.empty"),
        ("no file", "application/x-tar", vec![0; 1024], "upload.empty"),
        ("cut off", "application/x-tar", whole[..2000].to_vec(), "upload.archive"),
        ("damaged", "application/x-tar", flipped, "upload.archive"),
        ("cut off gzip", "application/gzip", zipped[..zipped.len() - 9].to_vec(), "upload.archive"),
        ("no gzip", "application/gzip", whole.clone(), "upload.archive"),
        ("cut off zstd", "application/zstd", zstd(&whole)[..60].to_vec(), "upload.archive"),
        ("up", "application/x-tar", archive(&[("../up", b"x")]), "upload.path"),
        ("absolute", "application/x-tar", archive(&[("/etc/x", b"x")]), "upload.path"),
    ];
    for (what, media_type, body, code) in cases {
        let answer = upload(&platform, media_type, "kind=prebuilt&project=blog", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}: {}", answer.text);
        assert_eq!(answer.json()["code"], code, "{what}: {}", answer.text);
    }
    for query in [
        "project=blog",
        "kind=zip&project=blog",
        "kind=prebuilt",
        "kind=prebuilt&project=No",
        "kind=prebuilt&project=blog&colour=red",
        "kind=source&project=blog&root=../up",
        "kind=source&project=blog&repository=https://me:hunter2@host/x",
    ] {
        let answer = upload(&platform, "application/x-tar", query, site()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", answer.text);
        assert!(!answer.text.contains("hunter2"));
    }
    assert_eq!(platform.uploads(), 0);
    assert_eq!(stored(&platform), Vec::<String>::new());
    assert_eq!(platform.get("/v1/deployments").await.json()["items"], serde_json::json!([]));
}

#[tokio::test]
async fn a_large_archive_is_refused_by_what_it_unpacks_to() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::open(directory, "", |config| config.upload_limit_bytes = 100_000).await;
    let large = archive(&[("index.html", &vec![0; 200_000])]);
    assert!(zstd(&large).len() < 1000);
    for (media_type, body) in [("application/x-tar", large.clone()), ("application/zstd", zstd(&large))] {
        let answer = upload(&platform, media_type, "kind=prebuilt&project=blog", body).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{media_type}");
        assert_eq!(answer.json()["detail"], "the upload has more than 100000 bytes");
    }
    // Without a length in front.
    let pieces = large.chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let request = request(Method::POST, "/v1/deployments?kind=prebuilt&project=blog");
    let request = request.header("content-type", "application/x-tar").body(body).unwrap();
    assert_eq!(platform.send(request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(platform.uploads(), 0);
    assert_eq!(stored(&platform), Vec::<String>::new());
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let platform = Platform::idle("").await;
    let mut half = Vec::new();
    half.write_all(&site()[..700]).unwrap();
    let pieces = vec![Ok(half), Err(std::io::Error::other("the line is cut"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let request = request(Method::POST, "/v1/deployments?kind=prebuilt&project=blog");
    let answer = platform.send(request.header("content-type", "application/x-tar").body(body).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(platform.uploads(), 0);
    assert_eq!(stored(&platform), Vec::<String>::new());
}

#[tokio::test]
async fn the_archive_is_removed_once_it_is_published() {
    let platform = Platform::new("publish").await;
    let answer = upload(&platform, "application/x-tar", "kind=prebuilt&project=blog", site()).await;
    let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(platform.final_view(&id).await["state"], "ready");
    platform.whole_log(&id).await;
    crate::support::until(async || stored(&platform).is_empty().then_some(())).await;
}

#[tokio::test]
async fn the_archive_is_removed_however_it_ends() {
    let failing = r#"event '"kind":"end","state":"failed","failure":{"code":"build.exit","cause":"x"}'"#;
    for (script, state) in [(failing, "failed"), ("kill -9 $$", "lost")] {
        let platform = Platform::new(script).await;
        let answer = upload(&platform, "application/x-tar", "kind=source&project=blog", site()).await;
        let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(platform.final_view(&id).await["state"], state);
        crate::support::until(async || stored(&platform).is_empty().then_some(())).await;
    }
    let platform = Platform::idle("").await;
    let answer = upload(&platform, "application/x-tar", "kind=source&project=blog", site()).await;
    assert_eq!(stored(&platform).len(), 1);
    let path = format!("/v1/deployments/{}/cancel", answer.json()["id"].as_str().unwrap());
    assert_eq!(platform.post(&path, &serde_json::json!(null)).await.json()["state"], "canceled");
    assert_eq!(stored(&platform), Vec::<String>::new());
}

#[tokio::test]
async fn a_name_that_would_fill_the_memory_is_refused() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(10 << 20);
    header.set_cksum();
    archive.append(&header, std::io::repeat(b'x').take(10 << 20)).unwrap();
    let platform = Platform::idle("").await;
    let body = gzip(&archive.into_inner().unwrap()).await;
    let answer = upload(&platform, "application/gzip", "kind=prebuilt&project=blog", body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("longer than any file's can be"), "{}", answer.text);
    assert_eq!(platform.uploads(), 0);
}

#[tokio::test]
async fn a_message_is_kept_as_far_as_it_can_be_shown() {
    let platform = Platform::idle("").await;
    let long = "y".repeat(5000);
    for (message, expected) in
        [("Fix%09the%0Anav", "Fix the nav"), ("%E2%9C%93%20done%00", "\u{2713} done"), (&*long, &long[..256])]
    {
        let query = format!("kind=prebuilt&project=blog&message={message}");
        let answer = upload(&platform, "application/x-tar", &query, site()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        assert_eq!(answer.json()["source"]["message"], expected);
    }
}

#[tokio::test]
async fn the_repository_of_an_archive_is_shown_only_if_it_is_one_and_holds_no_secret() {
    let platform = Platform::idle("").await;
    for address in ["ftp://user:SECRET@host/a", "https://user:SECRET@host/", "https://user:SECRET@host/a%20b"]
    {
        let query = format!("kind=prebuilt&project=blog&repository={address}");
        let answer = upload(&platform, "application/x-tar", &query, site()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}: {}", answer.text);
        assert_eq!(answer.json()["code"], "git.address");
        assert!(!answer.text.contains("SECRET"), "{}", answer.text);
    }
    for address in ["/srv/blog.git", "https://user:SEC/RET@host/a", "user:SEC%20RET@host:a", "ftp://host/a"] {
        let query = format!("kind=prebuilt&project=blog&repository={address}");
        let answer = upload(&platform, "application/x-tar", &query, site()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{address}: {}", answer.text);
        assert_eq!(answer.json()["source"].get("repository"), None, "{address}");
    }
}
