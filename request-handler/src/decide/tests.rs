use std::collections::BTreeMap;

use gitdeploy_core::manifest::{Caching, File, Manifest, Origin, Rules, VERSION};
use gitdeploy_core::rules::{HtmlHandling, Pattern, Redirect, Redirects, Serve};
use gitdeploy_core::{Attempt, SitePath};
use gitdeploy_store::ETag;
use http::Uri;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample;

use super::*;

fn site(files: &[&str], redirects: &str, serve: Serve) -> Published {
    let file = File {
        bytes: 0,
        sha256: gitdeploy_core::hash::Sha256::of(b""),
        etag: String::new(),
        content_type: String::new(),
        variants: BTreeMap::new(),
        cache: Caching::Revalidate,
        staged: None,
        link: None,
    };
    let mut rules = Redirects::new(serve.redirects).with_pages(serve.html_handling);
    rules.read(redirects);
    let paths = files.iter().filter_map(|path| path.parse::<SitePath>().ok());
    let manifest = Manifest {
        version: VERSION,
        id: "blog".parse().unwrap(),
        attempt: Attempt::FIRST,
        files: paths.map(|path| (path, file.clone())).collect(),
        project: None,
        origin: Origin::default(),
        rules: Rules { redirects: rules.into_rules(), serve, ..Rules::default() },
        builder: String::new(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
    };
    Published::new(manifest, ETag(String::new()), 0)
}

fn ask(site: &Published, target: &str, accept: &str) -> Option<Outcome> {
    let uri: Uri = target.parse().ok()?;
    let target = Target::parse(&uri).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, accept.parse().unwrap());
    let asked = Asked { host: "site.test", query: target.query, headers: &headers, country: None };
    let question = Question { method: &Method::GET, target: &target, asked };
    let outcome = decide(site, &question);
    Some(match outcome.answer {
        Answer::Missing => missing(site, &question, outcome.varies),
        _ => outcome,
    })
}

fn shown(site: &Published, target: &str, accept: &str) -> String {
    match ask(site, target, accept).unwrap().answer {
        Answer::File(StatusCode::OK, file) => file,
        Answer::File(status, file) => format!("{} {file}", status.as_u16()),
        Answer::Redirect(status, to) => format!("{} {to}", status.as_u16()),
        Answer::Bare(status) => status.as_u16().to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn scripts_never_get_the_front_page() {
    for (spa, target, accept, expected) in [
        (Spa::Auto, "/a/b", "*/*", "index.html"),
        (Spa::Auto, "/john.doe", "*/*", "index.html"),
        (Spa::Auto, "/app-1.js", "*/*", "Missing"),
        (Spa::Auto, "/app-1.js", "text/html,*/*", "index.html"),
        (Spa::All, "/app-1.js", "*/*", "index.html"),
        (Spa::Off, "/a/b", "text/html", "Missing"),
    ] {
        let site = site(&["index.html"], "", Serve { spa, ..Serve::default() });
        assert_eq!(shown(&site, target, accept), expected, "{spa:?} {target} {accept}");
    }
    let site = site(&["index.html", "404.html"], "", Serve::default());
    assert_eq!(shown(&site, "/a/b", "text/html"), "404 404.html");
}

#[test]
fn dialects_differ_in_what_files_win_over() {
    let rules = "/page /x 301\n/page2 /x 200\n/page3 /x 301!\n/d/* /x 200\n/e/* /x 301";
    let files = ["page.html", "page2.html", "page3.html", "x.html", "d/f.txt", "e/f.txt"];
    for (redirects, expected) in [
        (Dialect::Cloudflare, ["301 /x", "x.html", "301 /x", "d/f.txt", "301 /x", "x.html"]),
        (Dialect::Netlify, ["page.html", "page2.html", "301 /x", "d/f.txt", "e/f.txt", "x.html"]),
    ] {
        let site = site(&files, rules, Serve { redirects, ..Serve::default() });
        let found =
            ["/page", "/page2", "/page3", "/d/f.txt", "/e/f.txt", "/d"].map(|path| shown(&site, path, ""));
        assert_eq!(found, expected, "{redirects:?}");
    }
}

#[test]
fn a_status_that_no_rule_may_have_is_passed_over() {
    let mut site = site(&["x.html"], "", Serve::default());
    for (code, expected) in
        [(200, "x.html"), (410, "410 x.html"), (100, "Missing"), (204, "Missing"), (999, "Missing")]
    {
        site.redirects = crate::redirects::Redirects::new(vec![Redirect {
            line: 1,
            from: Pattern::parse("/a").unwrap(),
            query: BTreeMap::new(),
            to: "/x".into(),
            status: code,
            force: false,
            country: Vec::new(),
            language: Vec::new(),
        }]);
        assert_eq!(shown(&site, "/a", ""), expected, "{code}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn whatever_is_asked_is_answered_from_the_site(
        handling in sample::select(vec![HtmlHandling::Auto, HtmlHandling::Force, HtmlHandling::Drop, HtmlHandling::None]),
        redirects in sample::select(vec![Dialect::Cloudflare, Dialect::Netlify]),
        files in prop::collection::vec("(a/|b/|\\.env/)?(a|b|index|404)(\\.html|\\.js)?", 0..8),
        rules in prop::collection::vec(r"/(a|b|:x|\*)(/|/b|/:y|/\*)? (https://e\.test|/)?/?[ab.\\%]{0,3}(/:splat|/:x|:x)?( 200| 301| 404| 301!)?", 0..4),
        target in r"/(a|b|/|\.|%2e|%2f|%5c|\\|index|\.html|%00|\?a=/){0,8}",
    ) {
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let serve = Serve { redirects, html_handling: handling, ..Serve::default() };
        let site = site(&files, &rules.join("\n"), serve);
        let Some(outcome) = ask(&site, &target, "*/*") else { return Ok(()) };
        match outcome.answer {
            Answer::File(_, file) => prop_assert!(site.file(&file).is_some(), "{}", file),
            Answer::Redirect(_, to) => {
                prop_assert!(!to.starts_with("//") && location::header(&to).is_some(), "{}", to);
                let path = target.split('?').next().unwrap_or_default();
                prop_assert!(to.split('?').next() != Some(path), "{} leads to itself", to);
            }
            _ => {}
        }
    }
}
