//! Manifests: whatever lies in the store, a site is answered from it, or it is no manifest.

use std::sync::Arc;

use gitdeploy_core::{Manifest, SitePath, keys};
use gitdeploy_store::ETag;
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{promises, script, url};
use crate::site::Published;

/// How many paths of a manifest are asked for.
const MOST_ASKED: usize = 20;

/// A request, which may be nothing, then the JSON of a manifest.
pub fn manifest(input: &[u8]) {
    let [head, json] = script::sections(input);
    let Ok(manifest) = serde_json::from_slice::<Manifest>(json) else { return };
    let written = serde_json::to_vec(&manifest).expect("a manifest becomes JSON");
    assert_eq!(serde_json::from_slice::<Manifest>(&written).expect("it can be read"), manifest);
    for (path, file) in &manifest.files {
        let key = manifest.key_of(path, file);
        let prefix = if file.staged.is_some() { "__staged/" } else { "__outputs/" };
        url::is_inside(&key, prefix);
        for encoding in file.variants.keys() {
            url::is_inside(&keys::variant(&manifest.id, *encoding, path), "__variants/");
        }
    }
    let paths: Vec<_> = manifest.files.keys().take(MOST_ASKED).map(address).collect();
    let froms = manifest.rules.redirects.iter().map(|rule| rule.from.as_str().to_owned());
    let froms: Vec<_> = froms.take(MOST_ASKED).filter(|from| from.starts_with('/')).collect();
    let site = Arc::new(Published::new(manifest, ETag(String::new()), json.len()));
    if let Some(mut request) = script::request(head) {
        // Nothing that the manifest tells of is in the store.
        request.method = Method::HEAD;
        promises::of_a_visit(&site, &request);
    }
    for path in paths.iter().chain(&froms) {
        let request =
            Request::head(path).header("Host", "blog.localhost").header("Accept-Encoding", "br, gzip");
        if let Ok(request) = request.body(()) {
            promises::of_a_visit(&site, &request.into_parts().0);
        }
    }
}

/// The address of a file.
fn address(path: &SitePath) -> String {
    let segments = path.as_str().split('/').map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC));
    segments.fold(String::new(), |address, segment| format!("{address}/{segment}"))
}
