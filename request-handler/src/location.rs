//! Where redirects lead: the addresses in `Location`.

use std::borrow::Cow;

use gitdeploy_core::rules;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What is encoded in a path. A `\` must be: browsers read it as `/`.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Where a rule leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To a path of this site, still encoded, with what follows it: a query and a fragment.
    Here { path: String, rest: String },
    /// To an address elsewhere.
    Elsewhere(String),
}

impl Destination {
    /// Where the filled-in target of a rule leads on a site at `host`.
    pub(crate) fn of(target: &str, host: &str) -> Self {
        let (origin, address) = split_origin(target);
        let (path, rest) = rules::split(address);
        let path = rules::rule_path(path);
        let rest = rules::encode(rest);
        if origin.split_once("//").is_none_or(|(_, authority)| authority.eq_ignore_ascii_case(host)) {
            // A browser takes what follows `//` for a host.
            let path = match path.strip_prefix("//") {
                Some(path) => format!("/{}", path.trim_start_matches('/')),
                None => path.into_owned(),
            };
            return Self::Here { path, rest };
        }
        Self::Elsewhere(format!("{}{path}{rest}", rules::encode(origin)))
    }

    /// The value of `Location` for a request with `query`, which is passed on where the target has none of its own.
    pub(crate) fn location(self, query: Option<&str>) -> String {
        let address = match self {
            Self::Here { path, rest } => path + &rest,
            Self::Elsewhere(address) => address,
        };
        let (before, fragment) = address.split_at(address.find('#').unwrap_or(address.len()));
        match query.filter(|query| !query.is_empty() && !before.contains('?')) {
            Some(query) => format!("{before}?{}{fragment}", rules::encode(query)),
            None => address,
        }
    }
}

/// The value of `Location` for a decoded path of the site that starts with exactly one `/`.
pub(crate) fn within(path: &str, query: Option<&str>) -> String {
    let mut location = utf8_percent_encode(path, PATH).to_string();
    if let Some(query) = query {
        location.push('?');
        location.push_str(&rules::encode(query));
    }
    location
}

/// The scheme and the host of an address, and the rest; of a path, nothing and all of it.
fn split_origin(target: &str) -> (&str, &str) {
    let Some(scheme) = ["https://", "http://"].into_iter().find(|scheme| target.starts_with(scheme)) else {
        return ("", target);
    };
    let authority = &target[scheme.len()..];
    let end = authority.find(['/', '\\', '?', '#']).unwrap_or(authority.len());
    target.split_at(scheme.len() + end)
}

/// A `Location` as it may be sent: it leads to no other site by accident, and has nothing that a header cannot hold.
pub(crate) fn header(location: &str) -> Option<http::HeaderValue> {
    let is_harmless = !location.starts_with("//") && !location.starts_with("/\\");
    http::HeaderValue::from_str(location).ok().filter(|_| is_harmless)
}

/// A path with its slash at the end added or taken away; of `/`, nothing.
pub(crate) fn toggled(path: &str) -> Option<Cow<'_, str>> {
    match path.strip_suffix('/') {
        Some("") => None,
        Some(page) => Some(Cow::Borrowed(page)),
        None => Some(Cow::Owned(format!("{path}/"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn location(target: &str, query: Option<&str>) -> String {
        Destination::of(target, "site.test").location(query)
    }

    #[test]
    fn a_location_stays_on_the_site() {
        for (path, query, expected) in [
            ("/a b/ü", None, "/a%20b/%C3%BC"),
            ("/\\example.com/", Some("a=%20&ü"), "/%5Cexample.com/?a=%20&%C3%BC"),
            ("/100%/[x]", Some(""), "/100%25/%5Bx%5D?"),
            ("/?#", None, "/%3F%23"),
        ] {
            assert_eq!(within(path, query), expected);
        }
    }

    #[test]
    fn a_rule_leads_where_its_author_meant() {
        for (target, query, expected) in [
            ("/b", None, "/b"),
            ("/b", Some("x=1"), "/b?x=1"),
            ("/b?y=2", Some("x=1"), "/b?y=2"),
            ("/b#c", Some("x=1"), "/b?x=1#c"),
            ("/b#c?d", Some("x=1"), "/b?x=1#c?d"),
            ("/b?", Some("x=1"), "/b?"),
            ("//else.test/", None, "/else.test/"),
            ("/.//else.test/", None, "/else.test/"),
            ("/a/..//else.test/", None, "/else.test/"),
            ("/\\else.test/", None, "/else.test/"),
            ("https://else.test", Some("x"), "https://else.test/?x"),
            ("https://else.test/ü?q#f", Some("x"), "https://else.test/%C3%BC?q#f"),
            ("https://SITE.test/b", None, "/b"),
            ("https://site.test//else.test", None, "/else.test"),
            ("http://else.test\\@site.test/", None, "http://else.test/@site.test/"),
        ] {
            assert_eq!(location(target, query), expected, "{target} {query:?}");
        }
    }

    proptest! {
        #[test]
        fn a_location_can_be_sent(
            target in r"(https?://(site\.test|x))?[/\\.%a-c?# ü\[\]]{0,12}",
            query in prop::option::of(r#"[a-c=&?/\\ü"]{0,6}"#),
        ) {
            let target = if target.starts_with("http") { target } else { format!("/{target}") };
            let location = location(&target, query.as_deref());
            prop_assert!(location.starts_with('/') || location.starts_with("http"), "{}", location);
            prop_assert!(!location.starts_with("//"), "{}", location);
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{}", location);
        }
    }
}
