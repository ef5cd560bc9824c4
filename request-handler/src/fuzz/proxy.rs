//! A proxy with a site in its memory.

use bytes::Bytes;
use gitdeploy_core::hash::Sha256;
use gitdeploy_core::manifest::{Caching, Encoding, File, Manifest, Rules, Variant};
use gitdeploy_core::{Key, SitePath, keys};
use gitdeploy_store::{Content, ObjectStore, Put};
use http::Response;
use http::request::Parts;
use http_body_util::Empty;
use tokio::runtime::{Builder, Runtime};

use super::script;
use crate::account::Account;
use crate::body::Body;
use crate::config::Config;
use crate::handler::Handler;
use crate::visitor::Visitor;

/// The files of the site `blog` by path and coding.
const CONTENTS: [(&str, &str, &str); 6] = [
    ("index.html", "", "<!doctype html><title>Home</title><p>Welcome to the blog."),
    ("index.html", "br", "(the page in brotli)"),
    ("index.html", "zstd", "(the page in zstd)"),
    ("index.html", "gzip", "(the page in gzip)"),
    ("assets/app-BX4d1f2Q.js", "", "console.log('what is kept for ever')"),
    ("data.bin", "", "0123456789abcdefghijklmnopqrstuvwxyz"),
];

/// A proxy, and what its tasks run on.
pub(super) struct Proxy {
    handler: Handler,
    runtime: Runtime,
}

thread_local! {
    static PROXY: Proxy = Proxy::start();
}

/// Calls a function with a proxy, always the same.
pub(super) fn with<T>(call: impl FnOnce(&Proxy) -> T) -> T {
    PROXY.with(call)
}

/// The content of a file, compressed so, or as it is.
pub(super) fn content(path: &SitePath, coding: &str) -> Option<&'static str> {
    let known = CONTENTS.iter().find(|(known, is, _)| *known == path.as_str() && *is == coding);
    known.map(|(_, _, content)| *content)
}

impl Proxy {
    /// The answer to a request, and how it came about.
    pub(super) fn answer(&self, mut request: Parts, visitor: &Visitor) -> (Response<Body>, Account) {
        let mut account = Account::default();
        let body = Empty::<Bytes>::new();
        let answer = self.handler.tell(&mut request, body, Some(visitor), &mut account);
        let answer = self.runtime.block_on(answer);
        (answer, account)
    }

    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
        let store = ObjectStore::memory();
        let mut manifest = script::manifest(std::iter::empty(), Rules::default());
        for (path, coding, content) in CONTENTS {
            runtime.block_on(add(&store, &mut manifest, path, coding, content));
        }
        let json = serde_json::to_string(&manifest).expect("a manifest becomes JSON");
        runtime.block_on(put(&store, &keys::manifest(&manifest.id), json));
        Self { handler: Handler::new(store, &Config::default()), runtime }
    }
}

async fn add(store: &ObjectStore, manifest: &mut Manifest, path: &str, coding: &str, content: &str) {
    let path: SitePath = path.parse().expect("it is a path");
    let (bytes, sha256) = (content.len() as u64, Sha256::of(content.as_bytes()));
    if let Some(encoding) = Encoding::ALL.into_iter().find(|encoding| encoding.as_str() == coding) {
        let key = keys::variant(&manifest.id, encoding, &path);
        let etag = put(store, &key, content.to_owned()).await;
        let file = manifest.files.get_mut(&path).expect("the file itself comes first");
        file.variants.insert(encoding, Variant { bytes, sha256: Some(sha256), etag });
        return;
    }
    let etag = put(store, &keys::output(&manifest.id, &path), content.to_owned()).await;
    let cache = if path.as_str().starts_with("assets/") { Caching::Immutable } else { Caching::Revalidate };
    let file = File { bytes, sha256, etag, cache, ..script::empty_file(&path) };
    manifest.files.insert(path, file);
}

async fn put(store: &ObjectStore, key: &Key, content: String) -> String {
    let stored = store.put(key, Content::Bytes(content.into()), Put::default());
    stored.await.expect("memory takes everything").0
}
