//! Hosts and targets: whatever is asked for, what is looked up lies in the site.

use std::collections::BTreeSet;

use gitdeploy_core::rules::HtmlHandling;
use gitdeploy_core::{Key, SitePath, keys, rules};
use http::Uri;
use http::header::HOST;
use http::request::Parts;

use super::script;
use crate::host::{self, Domain};
use crate::location;
use crate::resolve::{Pages, Resolution, is_hidden};
use crate::target::Target;

/// How many files the store is asked for at most, to answer one request of a site without a manifest.
const MOST_PROBES: usize = 40;

/// A request, how pages are handled, and files.
pub fn url(input: &[u8]) {
    let [head, handling, files] = script::sections(input);
    let Some(request) = script::request(head) else { return };
    a_host_has_a_name(&request);
    let files = script::paths(files).collect();
    let site = Files { files, handling: script::serve(handling).html_handling };
    let Ok(target) = Target::parse(&request.uri) else { return };
    assert!(target.path.starts_with('/') && !target.path.contains('\0'), "{target:?}");
    assert!(target.path.split(['/', '\\']).all(|segment| segment != ".."), "{target:?}");
    site.answers(&target);
}

/// The name of a site can be looked up, and asking for it once more leads to the same.
fn a_host_has_a_name(request: &Parts) {
    let domain = Domain::default();
    let Ok(host) = host::asked(&request.uri, &request.headers, &domain) else { return };
    assert_eq!(*host.text, *host.text.to_ascii_lowercase());
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    assert!(host.text.bytes().all(is_part), "{host:?}");
    if let Some(key) = keys::route(host.site.as_str()) {
        is_inside(&key, "__routes/");
    }
    let mut again = request.headers.clone();
    again.insert(HOST, host.text.parse().expect("a host is visible ASCII"));
    assert_eq!(host::asked(&Uri::from_static("/"), &again, &domain), Ok(host));
}

/// A site by the files that it has.
struct Files {
    files: BTreeSet<SitePath>,
    handling: HtmlHandling,
}

impl Files {
    fn answers(&self, target: &Target<'_>) {
        match self.resolve(&target.path) {
            Resolution::File(name) => self.has(&name),
            Resolution::Redirect(to) => self.leads_to_a_file(target, &to),
            Resolution::Missing => {
                let mut pages =
                    Pages { handling: self.handling, is_file: |name: &str| self.files.contains(name) };
                if let Some(name) = pages.not_found_page(&target.path, usize::MAX) {
                    self.has(&name);
                }
            }
        }
    }

    fn resolve(&self, path: &str) -> Resolution {
        let mut asked = BTreeSet::new();
        let is_file = |name: &str| {
            if let Ok(path) = name.parse::<SitePath>() {
                is_inside(&keys::output(&script::id(), &path), "__outputs/blog/");
                asked.insert(path);
            }
            self.files.contains(name)
        };
        let found = Pages { handling: self.handling, is_file }.resolve(path);
        assert!(asked.len() <= MOST_PROBES, "{} files are asked for", asked.len());
        found
    }

    fn has(&self, name: &str) {
        assert!(self.files.contains(name) && !is_hidden(name), "{name:?} is not to be seen");
    }

    /// A redirect stays on the site, and who follows it is not sent on.
    fn leads_to_a_file(&self, target: &Target<'_>, to: &str) {
        let location = location::within(to, target.query);
        let header = location::header(&location).expect("a header can hold it");
        assert!(is_path(header.to_str().expect("it is ASCII")), "{location} leads away");
        let uri: Uri = location.parse().expect("it is an address");
        let next = Target::parse(&uri).expect("it can be asked for");
        assert_eq!(next.query, target.query.map(rules::encode).as_deref(), "the query is kept");
        assert_ne!(next.path, target.path, "{location} leads back");
        match self.resolve(&next.path) {
            Resolution::File(name) => self.has(&name),
            other => panic!("{location} leads to {other:?}"),
        }
    }
}

/// Whether a browser takes an address for a path of the site that it is on.
pub(super) fn is_path(location: &str) -> bool {
    location.starts_with('/') && !location.starts_with("//") && !rules::split(location).0.contains('\\')
}

/// No key leads out of where its kind lies.
pub(super) fn is_inside(key: &Key, prefix: &str) {
    let rest = key.as_str().strip_prefix(prefix).unwrap_or_else(|| panic!("{key:?} is not in {prefix}"));
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\0');
    assert!(rest.split('/').all(is_segment), "{key:?} leads elsewhere");
}
