//! Compressed copies of what is published.

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::keys;
use gitdeploy_core::manifest::Encoding;
use gitdeploy_store::ObjectStore;

use crate::harness::{Builder, decoded, walk};

#[tokio::test]
async fn compressed_copies_lie_beside_the_files_and_follow_them() {
    let builder = Builder::new().await;
    let script = |text: &str| {
        format!(
            "mkdir dist; for n in {{1..400}}; do echo {text}; done > dist/index.html; seq 900 > dist/same.txt;
             seq 60000 > dist/large.json; seq 900 > dist/{text}.css; echo short > dist/short.txt;
             head -c 4000 /dev/urandom > dist/noise.txt; seq 900 > dist/picture.png"
        )
    };
    builder.build_script(&script("one"), &[]).await.assert_ready();
    let first = builder.manifest().unwrap();
    assert_variants_are_true(&builder, &["index.html", "large.json", "one.css", "same.txt"], &Encoding::ALL)
        .await;

    builder.build_script(&script("two"), &[]).await.assert_ready();
    assert_variants_are_true(&builder, &["index.html", "large.json", "same.txt", "two.css"], &Encoding::ALL)
        .await;
    let second = builder.manifest().unwrap();
    for same in ["large.json", "same.txt"] {
        assert_eq!(second.files[same].variants, first.files[same].variants, "they are not made again");
    }
    assert_ne!(second.files["index.html"].variants, first.files["index.html"].variants);
}

#[tokio::test]
async fn the_operator_says_which_encodings_there_are() {
    let builder = Builder::new().await;
    let script = "mkdir dist; seq 900 > dist/index.html";
    let build = async |encodings: &str| {
        let built = builder.build_script(script, &[("GITDEPLOY_BUILD_VARIANTS", encodings)]).await;
        built.assert_ready();
    };
    build("gzip").await;
    assert_variants_are_true(&builder, &["index.html"], &[Encoding::Gzip]).await;
    let made = builder.manifest().unwrap().files["index.html"].variants.clone();

    build("br,gzip").await;
    assert_variants_are_true(&builder, &["index.html"], &[Encoding::Br, Encoding::Gzip]).await;
    let variants = builder.manifest().unwrap().files["index.html"].variants.clone();
    assert_eq!(variants[&Encoding::Gzip], made[&Encoding::Gzip], "only what was missing was made");

    build("none").await;
    assert_variants_are_true(&builder, &[], &[]).await;
}

#[tokio::test]
async fn what_there_is_no_time_to_compress_is_published_as_it_is() {
    let builder = Builder::new().await;
    let script = "mkdir dist; seq 900 > dist/index.html; seq 900 > dist/a.css";
    let built = builder.build_script(script, &[("GITDEPLOY_BUILD_PROCESS_SECONDS", "0")]).await;
    built.assert_ready();
    let notice = built.notices().into_iter().find(|notice| notice.contains("no time to compress"));
    assert!(notice.unwrap().contains("2 files"), "{:?}", built.notices());
    assert_variants_are_true(&builder, &[], &[]).await;
}

/// Of the files named there are the encodings named, of others none; each is what the manifest says, and no other
/// variant lies in the store.
async fn assert_variants_are_true(builder: &Builder, names: &[&str], encodings: &[Encoding]) {
    let store = ObjectStore::directory(builder.store.path()).unwrap();
    let manifest = builder.manifest().unwrap();
    let mut found = Vec::new();
    for (path, file) in &manifest.files {
        for (encoding, variant) in &file.variants {
            let key = keys::variant(&manifest.id, *encoding, path);
            let (meta, bytes) = store.read(&key, 1 << 20).await.unwrap();
            assert_eq!((meta.etag.0.as_str(), meta.bytes), (variant.etag.as_str(), variant.bytes), "{key}");
            assert_eq!(variant.sha256, Some(Sha256::of(&bytes)), "{key}");
            assert!(variant.bytes < file.bytes);
            assert_eq!(Sha256::of(&decoded(*encoding, &bytes)), file.sha256, "{key}");
            found.push(builder.object(key.as_str()));
        }
    }
    let expected = names.iter().flat_map(|name| {
        let variant = move |encoding: &Encoding| {
            builder.object(&format!("__variants/site/{}/{name}", encoding.as_str()))
        };
        encodings.iter().map(variant)
    });
    let mut expected: Vec<_> = expected.collect();
    let mut stored = walk(&builder.object("__variants"));
    for list in [&mut expected, &mut found, &mut stored] {
        list.sort();
    }
    assert_eq!(found, expected);
    assert_eq!(stored, expected);
}
