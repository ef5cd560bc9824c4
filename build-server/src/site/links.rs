//! Looks for links within the site that lead nowhere. What it finds is told and never fails a build.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, Instant};

use gitdeploy_core::manifest::Rules;
use gitdeploy_core::rules::{Redirect, Spa};
use gitdeploy_core::{SitePath, content_type};
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::html::{self, Link};
use crate::output::SiteFile;

/// Larger pages are not read, in bytes.
const LARGEST_PAGE: u64 = 5 << 20;
/// How many links are told one by one.
const TOLD: usize = 20;
/// How many links that lead nowhere are counted.
const COUNTED: usize = 10_000;
/// How long it may take.
const TIME: Duration = Duration::from_secs(10);
/// How much of a link is shown, in characters.
const SHOWN: usize = 120;

/// The host that stands for the site's own, whatever that will be.
const HERE: &str = "http://site.invalid";

/// What there is to link to.
struct Targets<'a> {
    paths: HashSet<&'a str>,
    /// Paths in lower case, and how they are written.
    spellings: HashMap<String, &'a str>,
    /// The paths of redirects that have one each.
    fixed: HashSet<&'a str>,
    dynamic: Vec<&'a Redirect>,
    /// Whether every other path is answered with the only page.
    is_one_page: bool,
}

/// Notices about links within the site that lead nowhere, the first of them in the order of pages.
pub(crate) fn report(files: &[SiteFile], rules: &Rules, cancel: &CancellationToken) -> Vec<String> {
    let targets = Targets::new(files, rules);
    let deadline = Instant::now() + TIME;
    let is_over = || Instant::now() >= deadline || cancel.is_cancelled();
    let mut found = Found::default();
    let mut unread = 0;
    for page in files.iter().filter(|file| is_page(file)) {
        if found.count >= COUNTED || is_over() {
            unread += 1;
            continue;
        }
        let Some(text) = read(page) else { continue };
        let Some(mut base) = address_of(&page.path) else { continue };
        for link in html::links(&text) {
            match link {
                Link::Base(address) => base = base.join(&address).unwrap_or(base),
                Link::To { address, line, tag } => {
                    let Some(path) = within(&base, &address) else { continue };
                    if let Err(why) = targets.look_up(&path) {
                        found.add(path, || {
                            let address = shown(&address);
                            format!("`{}`, line {line}: `<{tag}>` leads to `{address}`, {why}", page.path)
                        });
                    }
                }
            }
            if found.count >= COUNTED || is_over() {
                break;
            }
        }
    }
    found.notices(unread)
}

/// Links that lead nowhere.
#[derive(Default)]
struct Found {
    notices: Vec<String>,
    /// The targets that are told. A menu stands on every page, and its link is told once.
    targets: HashSet<String>,
    count: usize,
}

impl Found {
    fn add(&mut self, target: String, notice: impl FnOnce() -> String) {
        self.count += 1;
        if self.notices.len() < TOLD && self.targets.insert(target) {
            self.notices.push(notice());
        }
    }

    fn notices(mut self, unread: usize) -> Vec<String> {
        if self.count > self.notices.len() {
            let count = self.count;
            let least = if count >= COUNTED { "at least " } else { "" };
            self.notices.push(format!(
                "{least}{count} links lead nowhere; a target is told once, and {TOLD} at most"
            ));
        }
        if unread > 0 {
            self.notices
                .push(format!("the links of {unread} pages were not looked at, because there are so many"));
        }
        self.notices
    }
}

impl<'a> Targets<'a> {
    fn new(files: &'a [SiteFile], rules: &'a Rules) -> Self {
        let paths: HashSet<_> = files.iter().map(|file| file.path.as_str()).collect();
        let spellings = paths.iter().map(|path| (path.to_lowercase(), *path)).collect();
        // A rule that asks for more than the path may not apply, and then does not help.
        let about = rules.redirects.iter().filter(|rule| !rule.from.has_host() && rule.query.is_empty());
        let (fixed, dynamic): (Vec<_>, Vec<_>) = about.partition(|rule| rule.is_fixed());
        let mut pages = files.iter().filter(|file| is_page(file));
        let has_one_page =
            pages.next().is_some_and(|page| page.path.as_str() == "index.html") && pages.next().is_none();
        Self {
            paths,
            spellings,
            fixed: fixed.into_iter().map(|rule| rule.from.as_str()).collect(),
            dynamic,
            is_one_page: has_one_page && rules.serve.spa != Spa::Off,
        }
    }

    /// Whether a request for the encoded `path` finds something; if not, why.
    fn look_up(&self, path: &str) -> Result<(), String> {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let wanted = decoded.trim_start_matches('/');
        let names = candidates(wanted);
        let is_view = self.is_one_page && !wanted.rsplit('/').next().unwrap_or_default().contains('.');
        if is_view || names.iter().any(|name| self.paths.contains(name.as_str())) || self.is_redirected(path)
        {
            return Ok(());
        }
        if let Some(other) = names.iter().find_map(|name| self.spellings.get(&name.to_lowercase())) {
            return Err(format!("which does not exist, but `{other}` does: capitals count"));
        }
        // As with `base` in Vite or `baseUrl` in Docusaurus, set for GitHub Pages.
        if let Some((prefix, rest)) = wanted.split_once('/')
            && let Some(other) = candidates(rest).iter().find_map(|name| self.paths.get(name.as_str()))
        {
            return Err(format!(
                "which does not exist, but `{other}` does: the site is built to lie below `/{prefix}/`, set its base path to `/`"
            ));
        }
        Err("which does not exist".to_owned())
    }

    fn is_redirected(&self, path: &str) -> bool {
        // A rule for `/a` is one for `/a/` as well, where nothing else is found.
        let toggled = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        [path, &toggled].iter().any(|path| {
            self.fixed.contains(path)
                || self.dynamic.iter().any(|rule| rule.from.captures("", path).is_some())
        })
    }
}

/// The files that a request for a path without its first `/` may be answered with.
fn candidates(path: &str) -> Vec<String> {
    match path.strip_suffix('/') {
        _ if path.is_empty() => vec!["index.html".to_owned()],
        Some(directory) => vec![format!("{path}index.html"), format!("{directory}.html")],
        None => vec![path.to_owned(), format!("{path}.html"), format!("{path}/index.html")],
    }
}

/// What the references of a page are relative to.
pub(super) fn address_of(page: &SitePath) -> Option<Url> {
    Url::parse(HERE).and_then(|here| here.join(&encoded(page.as_str()))).ok()
}

/// The path of an address, if it lies within the site.
pub(super) fn within(base: &Url, address: &str) -> Option<String> {
    let address = address.trim();
    if address.is_empty() || address.starts_with('#') {
        return None;
    }
    // A template that nobody filled in is no address.
    if address.contains("{{") || address.contains("${") || address.contains("<%") {
        return None;
    }
    let url = base.join(address).ok()?;
    let is_here = url.scheme() == "http" && url.host_str() == Some("site.invalid") && url.port().is_none();
    is_here.then(|| url.path().to_owned())
}

fn is_page(file: &SiteFile) -> bool {
    file.bytes <= LARGEST_PAGE && content_type::of(file.path.file_name()).starts_with("text/html")
}

fn read(page: &SiteFile) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(&page.real).ok()?.take(LARGEST_PAGE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file's path as a reference: what would end a path is encoded.
fn encoded(path: &str) -> String {
    let path = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23").replace('\\', "%5C");
    format!("/{path}")
}

fn shown(address: &str) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let mut shown: String = address.trim().chars().map(plain).take(SHOWN).collect();
    if address.trim().chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::rules::{Dialect, parse_redirects};

    use super::*;
    use crate::config::Config;
    use crate::output::walk;

    fn report_of(files: &[(&str, &str)], redirects: &str) -> Vec<String> {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = tree.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let files = walk(tree.path(), false, crate::sandbox::Owner::ours(), &Config::default()).unwrap();
        let (redirects, problems) = parse_redirects(redirects, Dialect::Cloudflare);
        assert_eq!(problems, []);
        report(&files, &Rules { redirects, ..Rules::default() }, &CancellationToken::new())
    }

    #[test]
    fn links_that_lead_somewhere_are_not_told() {
        let page = r##"<a href="/"><a href=""><a href="#x"><a href="about"><a href="./about.html?x=1#y">
            <a href="/docs"><a href="/docs/"><a href="docs/first"><a href="docs/../a%20b.txt">
            <a href="https://example.com/x"><a href="//example.com/x"><a href="mailto:a@b.c"><a href="tel:1">
            <img src="data:image/png;base64,xyz"><a href="{{ url }}/x"><a href="javascript:void(0)">
            <a href="/old/page"><a href="/moved/"><link rel="canonical" href="/elsewhere">"##;
        let files = [
            ("index.html", page),
            ("about.html", ""),
            ("a b.txt", ""),
            ("docs/index.html", "<a href=first.html><a href=../about>"),
            ("docs/first.html", "<base href=/><a href=about.html>"),
        ];
        assert_eq!(
            report_of(
                &files,
                "/old/* /docs/:splat
/moved /about
"
            ),
            [""; 0]
        );
    }

    #[test]
    fn links_that_lead_nowhere_are_told_with_their_place_and_a_hint() {
        let files = [
            (
                "index.html",
                "<p>
<a href=/gone>
<img src=Logo.png srcset='x.png 2x'><a href=/repo/assets/a.js>",
            ),
            ("logo.png", ""),
            ("assets/a.js", ""),
            (
                "docs/a.html",
                "<a href=/gone><a href=b>

<a href=../../up.html><a href=%ff>",
            ),
        ];
        assert_eq!(
            report_of(
                &files, "/x /y
"
            ),
            [
                "`docs/a.html`, line 1: `<a>` leads to `/gone`, which does not exist",
                "`docs/a.html`, line 1: `<a>` leads to `b`, which does not exist",
                "`docs/a.html`, line 3: `<a>` leads to `../../up.html`, which does not exist",
                "`docs/a.html`, line 3: `<a>` leads to `%ff`, which does not exist",
                "`index.html`, line 3: `<img>` leads to `Logo.png`, which does not exist, but `logo.png` does: capitals count",
                "`index.html`, line 3: `<img>` leads to `x.png`, which does not exist",
                "`index.html`, line 3: `<a>` leads to `/repo/assets/a.js`, which does not exist, but `assets/a.js` does: the site is built to lie below `/repo/`, set its base path to `/`",
                "8 links lead nowhere; a target is told once, and 20 at most",
            ]
        );
    }

    #[test]
    fn the_views_of_a_page_that_is_alone_are_its_own() {
        let page = "<a href=/settings/profile><script src=/app.js></script>";
        assert_eq!(
            report_of(&[("index.html", page)], ""),
            ["`index.html`, line 1: `<script>` leads to `/app.js`, which does not exist"]
        );
        let with_another = report_of(&[("index.html", page), ("404.html", "")], "");
        assert!(with_another[0].contains("/settings/profile"), "{with_another:?}");
    }

    #[test]
    fn a_report_is_short_however_much_is_wrong() {
        let many: Vec<_> = (0..12_000)
            .map(|n| {
                format!(
                    "<a href=/gone/{n}>
"
                )
            })
            .collect();
        let notices = report_of(&[("a.html", &many.concat()), ("b.html", "<a href=/x>")], "");
        assert_eq!(notices.len(), TOLD + 2);
        assert_eq!(
            notices[TOLD..],
            [
                "at least 10000 links lead nowhere; a target is told once, and 20 at most",
                "the links of 1 pages were not looked at, because there are so many",
            ]
        );
        let large = format!("<a href=/x>{}", " ".repeat(5 << 20));
        assert_eq!(report_of(&[("a.html", &large)], ""), [""; 0]);
    }
}
