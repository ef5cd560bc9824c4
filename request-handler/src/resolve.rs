//! Which file a path leads to: the rules for HTML pages, as pure functions over the files of a site.
//!
//! The rules are those of Cloudflare Pages (`html_handling = "auto-trailing-slash"`), except that what would
//! be several redirects is one.

use std::borrow::Cow;

use gitdeploy_core::SitePath;

/// Files at the root of a site that say how it is served.
const CONTROL_FILES: [&str; 3] = ["_headers", "_redirects", "gitdeploy.toml"];

/// How many redirects in a row are collapsed; the rules make at most two.
const MAX_HOPS: usize = 4;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// To this file.
    File(SitePath),
    /// To this path, decoded, which leads to a file.
    Redirect(String),
    /// Nowhere.
    Missing,
}

/// Where `path` leads in a site of which `is_file` knows the files. `path` is decoded and starts with `/`.
pub(crate) fn resolve(path: &str, mut is_file: impl FnMut(&SitePath) -> bool) -> Resolution {
    let mut files = Files(&mut is_file);
    let collapsed = collapse(path);
    let mut found = files.step(&collapsed);
    for _ in 0..MAX_HOPS {
        match found {
            Resolution::File(_) if *collapsed != *path => {
                return Resolution::Redirect(collapsed.into_owned());
            }
            Resolution::File(_) | Resolution::Missing => return found,
            Resolution::Redirect(to) => match files.step(&to) {
                Resolution::File(_) => return Resolution::Redirect(to),
                further => found = further,
            },
        }
    }
    Resolution::Missing
}

/// The `404.html` nearest to `path`, in its directory or one above, of at most `levels` directories.
pub(crate) fn not_found_page(
    path: &str,
    levels: usize,
    mut is_file: impl FnMut(&SitePath) -> bool,
) -> Option<SitePath> {
    let mut files = Files(&mut is_file);
    let path = collapse(path);
    let directories: Vec<_> = path.match_indices('/').take(levels).map(|(end, _)| &path[..=end]).collect();
    directories.into_iter().rev().find_map(|directory| files.at(&format!("{directory}404.html")))
}

struct Files<'a, F>(&'a mut F);

impl<F: FnMut(&SitePath) -> bool> Files<'_, F> {
    /// Where `path` leads, if redirects are not followed.
    fn step(&mut self, path: &str) -> Resolution {
        if let Some(page) = path.strip_suffix("/index") {
            if let Some(file) = self.at(path) {
                return Resolution::File(file);
            }
            let to = self.redirect(&format!("{path}.html"), &format!("{page}/"));
            if let Some(to) = to.or_else(|| self.redirect(&format!("{page}.html"), page)) {
                return to;
            }
        } else if let Some(page) = path.strip_suffix("/index.html") {
            let to = self.redirect(path, &format!("{page}/"));
            if let Some(to) = to.or_else(|| self.redirect(&format!("{page}.html"), page)) {
                return to;
            }
        } else if let Some(page) = path.strip_suffix('/') {
            let file = self.serve(path).map(Resolution::File);
            let found = file.or_else(|| self.redirect(&format!("{page}.html"), page));
            return found.unwrap_or(Resolution::Missing);
        } else if let Some(page) = path.strip_suffix(".html") {
            let to = self.redirect(path, page);
            if let Some(to) = to.or_else(|| self.redirect(&format!("{page}/index.html"), &format!("{page}/")))
            {
                return to;
            }
        }
        let file = self.serve(path).map(Resolution::File);
        let found = file.or_else(|| self.redirect(&format!("{path}/index.html"), &format!("{path}/")));
        found.unwrap_or(Resolution::Missing)
    }

    /// A redirect to `destination`, if that shows `file` and is not a file of its own.
    fn redirect(&mut self, file: &str, destination: &str) -> Option<Resolution> {
        if !destination.starts_with('/') {
            return None;
        }
        let file = self.at(file)?;
        let shows_it = self.at(destination).is_none() && self.serve(destination) == Some(file);
        shows_it.then(|| Resolution::Redirect(destination.to_owned()))
    }

    /// The file that `path` shows without a redirect.
    fn serve(&mut self, path: &str) -> Option<SitePath> {
        if path.ends_with('/') {
            return self.at(&format!("{path}index.html"));
        }
        self.at(path).or_else(|| self.at(&format!("{path}.html")))
    }

    /// The file whose name is exactly `path`, if there is one that may be seen.
    fn at(&mut self, path: &str) -> Option<SitePath> {
        let path: SitePath = path.strip_prefix('/')?.parse().ok()?;
        (!is_hidden(&path) && (self.0)(&path)).then_some(path)
    }
}

/// Whether a file is never served: it says how the site is served, or should not have been published.
fn is_hidden(path: &SitePath) -> bool {
    let mut segments = path.as_str().split('/').peekable();
    if segments.peek() == Some(&".well-known") {
        return false;
    }
    CONTROL_FILES.contains(&path.as_str())
        || segments.any(|segment| segment == ".git" || segment.starts_with(".env"))
}

/// The path with every run of slashes made one.
fn collapse(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut collapsed = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !collapsed.ends_with('/') {
            collapsed.push(character);
        }
    }
    Cow::Owned(collapsed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::sample;

    use super::*;

    fn ask(files: &[&str], path: &str) -> String {
        match resolve(path, |file| files.contains(&file.as_str())) {
            Resolution::File(file) => file.to_string(),
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
        let find = |files: &[&str], path| {
            not_found_page(path, 8, |file| files.contains(&file.as_str())).map(|file| file.to_string())
        };
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

    fn any_files() -> impl Strategy<Value = BTreeSet<SitePath>> {
        prop::collection::vec(any_path(), 0..12)
            .prop_map(|paths| paths.iter().filter_map(|path| path.trim_matches('/').parse().ok()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_redirect_leads_to_a_file_at_once(files in any_files(), path in any_path()) {
            match resolve(&path, |file| files.contains(file)) {
                Resolution::Redirect(to) => {
                    prop_assert!(to.starts_with('/') && !to.starts_with("//"), "{}", to);
                    let next = resolve(&to, |file| files.contains(file));
                    prop_assert!(matches!(next, Resolution::File(_)), "{} leads to {} and then {:?}", path, to, next);
                }
                Resolution::File(file) => prop_assert!(files.contains(&file)),
                Resolution::Missing => {
                    let exact = path.strip_prefix('/').and_then(|path| path.parse::<SitePath>().ok());
                    prop_assert!(exact.is_none_or(|exact| !files.contains(&exact)));
                }
            }
        }
    }
}
