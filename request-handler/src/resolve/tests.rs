use std::collections::BTreeSet;

use gitdeploy_core::SitePath;
use proptest::prelude::*;
use proptest::sample;

use super::*;

fn pages<'a>(handling: HtmlHandling, files: &'a [&str]) -> Pages<impl FnMut(&str) -> bool + 'a> {
    Pages { handling, is_file: |name: &str| files.contains(&name) }
}

fn ask(files: &[&str], path: &str) -> String {
    match pages(HtmlHandling::Auto, files).resolve(path) {
        Resolution::File(file) => file,
        Resolution::Redirect(to) => format!("308 {to}"),
        Resolution::Missing => "404".to_owned(),
    }
}

fn check(files: &[&str], table: &[(&str, &str)]) {
    for (path, expected) in table {
        assert_eq!(ask(files, path), *expected, "{path} in {files:?}");
    }
}

#[test]
fn a_path_that_no_file_has_is_not_looked_up_in_every_directory() {
    let path = "/a".repeat(4000);
    let mut asked = 0;
    let mut pages = Pages {
        handling: HtmlHandling::Auto,
        is_file: |_: &str| {
            asked += 1;
            false
        },
    };
    assert_eq!(pages.resolve(&path), Resolution::Missing);
    assert_eq!(pages.not_found_page(&path, usize::MAX), None);
    assert!(asked <= 451, "{asked}");
    assert_eq!(ask(&["404.html", "a.html"], &format!("/{}a.html", "/".repeat(4000))), "308 /a");
}

#[test]
fn a_page_has_one_address() {
    check(
        &["index.html", "about.html", "docs/index.html", "app.js"],
        &[
            ("/", "index.html"),
            ("/index", "308 /"),
            ("/index.html", "308 /"),
            ("/index/", "308 /"),
            ("/about", "about.html"),
            ("/about/", "308 /about"),
            ("/about.html", "308 /about"),
            ("/about/index", "308 /about"),
            ("/about/index.html", "308 /about"),
            ("/docs", "308 /docs/"),
            ("/docs/", "docs/index.html"),
            ("/docs.html", "308 /docs/"),
            ("/docs/index", "308 /docs/"),
            ("/docs/index.html", "308 /docs/"),
            ("/app.js", "app.js"),
            ("/app.js/", "404"),
            ("/nope", "404"),
            ("/nope/", "404"),
            ("/.html", "404"),
            ("/index.html/", "404"),
        ],
    );
}

#[test]
fn a_page_and_a_directory_of_one_name_have_two_addresses() {
    check(
        &["both.html", "both/index.html"],
        &[
            ("/both", "both.html"),
            ("/both.html", "308 /both"),
            ("/both/", "both/index.html"),
            ("/both/index", "308 /both/"),
            ("/both/index.html", "308 /both/"),
        ],
    );
}

#[test]
fn a_file_keeps_its_name() {
    check(
        &["a", "a.html", "b/index", "b/index.html"],
        &[
            ("/a", "a"),
            ("/a.html", "a.html"),
            ("/a/", "404"),
            ("/b/index", "b/index"),
            ("/b/index.html", "308 /b/"),
        ],
    );
}

#[test]
fn slashes_are_collapsed_if_that_leads_somewhere() {
    check(
        &["index.html", "about.html"],
        &[
            ("//", "308 /"),
            ("//about", "308 /about"),
            ("/about//", "308 /about"),
            ("///about.html", "308 /about"),
            ("//nope", "404"),
        ],
    );
}

#[test]
fn control_and_secret_files_are_never_served() {
    let files = [
        "_redirects",
        "_headers",
        "gitdeploy.toml",
        ".git/config",
        "sub/.git/config",
        ".env",
        ".env.local",
        ".envrc/index.html",
        ".well-known/security.txt",
        "sub/_redirects",
    ];
    for file in &files[..7] {
        assert_eq!(ask(&files, &format!("/{file}")), "404", "{file}");
    }
    check(
        &files,
        &[
            ("/.envrc", "404"),
            ("/.envrc/", "404"),
            ("/.well-known/security.txt", ".well-known/security.txt"),
            ("/sub/_redirects", "sub/_redirects"),
        ],
    );
}

#[test]
fn the_nearest_not_found_page_is_taken() {
    let find = |files: &[&str], path| pages(HtmlHandling::Auto, files).not_found_page(path, 8);
    let files = ["404.html", "docs/404.html"];
    assert_eq!(find(&files, "/docs/a/b").as_deref(), Some("docs/404.html"));
    assert_eq!(find(&files, "/docs/").as_deref(), Some("docs/404.html"));
    assert_eq!(find(&files, "/docs").as_deref(), Some("404.html"));
    assert_eq!(find(&files, "/").as_deref(), Some("404.html"));
    assert_eq!(find(&["index.html"], "/docs/a"), None);
    assert_eq!(find(&["a/a/a/a/a/a/a/a/a/404.html"], &"/a".repeat(20)), None);
}

fn any_path() -> impl Strategy<Value = String> {
    let part = sample::select(vec!["/", "//", "a", "b", "index", ".html", "index.html", "404", "é", "."]);
    prop::collection::vec(part, 0..8).prop_map(|parts| format!("/{}", parts.concat()))
}

fn any_files() -> impl Strategy<Value = BTreeSet<String>> {
    let is_path = |path: &String| path.parse::<SitePath>().is_ok();
    prop::collection::vec(any_path(), 0..12).prop_map(move |paths| {
        paths.iter().map(|path| path.trim_matches('/').to_owned()).filter(is_path).collect()
    })
}

fn any_handling() -> impl Strategy<Value = HtmlHandling> {
    sample::select(vec![HtmlHandling::Auto, HtmlHandling::Force, HtmlHandling::Drop, HtmlHandling::None])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn a_redirect_leads_to_a_file_at_once(handling in any_handling(), files in any_files(), path in any_path()) {
        let mut pages = Pages { handling, is_file: |name: &str| files.contains(name) };
        match pages.resolve(&path) {
            Resolution::Redirect(to) => {
                prop_assert!(to.starts_with('/') && !to.starts_with("//"), "{}", to);
                let next = pages.resolve(&to);
                prop_assert!(matches!(next, Resolution::File(_)), "{} leads to {} and then {:?}", path, to, next);
                prop_assert!(pages.shown(&path).is_some());
            }
            Resolution::File(file) => prop_assert!(files.contains(&file)),
            Resolution::Missing => {
                prop_assert!(path.strip_prefix('/').is_none_or(|exact| !files.contains(exact)));
            }
        }
    }
}
