//! Rules of a site: whatever its author writes, the site is answered from, and other sites do not notice.

use gitdeploy_core::manifest;
use gitdeploy_core::rules::{Redirects, parse_headers};

use super::{promises, script};

/// A request, words about the site, its `_redirects`, its `_headers`, and files.
pub fn rules(input: &[u8]) {
    let [head, serve, redirects, headers, files] = script::sections(input);
    let Some(request) = script::request(head) else { return };
    let serve = script::serve(serve);
    let mut read = Redirects::new(serve.redirects).with_pages(serve.html_handling);
    let mut problems = read.read(&String::from_utf8_lossy(redirects));
    let (headers, more) = parse_headers(&String::from_utf8_lossy(headers));
    problems.extend(more);
    let rules = manifest::Rules { redirects: read.into_rules(), headers, problems, serve };
    let json = serde_json::to_string(&rules).expect("rules become JSON");
    assert_eq!(serde_json::from_str::<manifest::Rules>(&json).expect("it can be read"), rules);
    promises::of_a_visit(&script::site(script::paths(files), rules).into(), &request);
}
