//! `_redirects` of a deployment, ready to be asked: which rules are about a request.

use std::borrow::Cow;
use std::collections::HashMap;

use gitdeploy_core::rules::{Captures, Redirect, Template};
use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::index::Index;
use crate::languages;
use crate::varies::Varies;

/// How many rules that are about a request are tried, if one after the other does not apply after all. A site may have
/// thousands for one path, and each may have a target as long as an address.
const MOST_TRIED: usize = 100;

/// The redirects of a deployment.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    rules: Vec<Redirect>,
    index: Index,
}

/// What rules ask of a request, beside its path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The host in lower case, without its port.
    pub(crate) host: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    /// The visitor's country, if it is known.
    pub(crate) country: Option<&'a str>,
}

/// A rule that is about a request.
#[derive(Debug)]
pub(crate) struct Match<'a> {
    pub(crate) rule: &'a Redirect,
    /// Where it stands among the rules.
    pub(crate) place: usize,
    captures: Captures<'a>,
    /// How gladly the visitor reads a language that the rule names, if it names any.
    weight: Option<u16>,
}

impl Redirects {
    pub(crate) fn new(rules: Vec<Redirect>) -> Self {
        Self { index: Index::new(rules.iter().map(|rule| &rule.from)), rules }
    }

    /// The rules that are about a request for `path`, as it was sent; that which counts comes first. What of the
    /// request they depend on is noted in `varies`.
    pub(crate) fn matching<'a>(
        &'a self,
        asked: &Asked<'a>,
        path: &'a str,
        varies: &mut Varies,
    ) -> Vec<Match<'a>> {
        let mut found = Vec::new();
        let mut query = Query::Unread(asked.query);
        for place in self.index.candidates(path) {
            let rule = &self.rules[place];
            let Some(mut captures) = rule.from.captures(asked.host, path) else { continue };
            if !query.meets(&rule.query, &mut captures) {
                continue;
            }
            if !rule.country.is_empty() {
                varies.by_country = true;
                let is_of =
                    |known: &str| rule.country.iter().any(|country| country.eq_ignore_ascii_case(known));
                if !asked.country.is_some_and(is_of) {
                    continue;
                }
            }
            let mut weight = None;
            if !rule.language.is_empty() {
                varies.by_language = true;
                weight = languages::weight(asked.headers, &rule.language);
                if weight.is_none() {
                    continue;
                }
            }
            found.push(Match { rule, place, captures, weight });
            if found.len() == MOST_TRIED {
                break;
            }
        }
        prefer_languages(&mut found);
        found
    }

    /// The rule that stands at a place.
    pub(crate) fn rule(&self, place: usize) -> Option<&Redirect> {
        self.rules.get(place)
    }
}

impl Match<'_> {
    /// The target with what was captured, if it is not too long for an address.
    pub(crate) fn target(&self) -> Option<String> {
        self.rule.target(&self.captures)
    }
}

/// Of rules for languages that stand together the one counts whose language the visitor likes best, wherever it stands.
fn prefer_languages(found: &mut [Match<'_>]) {
    let together = found.iter().take_while(|found| found.weight.is_some()).count();
    found[..together].sort_by_key(|found| std::cmp::Reverse(found.weight));
}

/// The query of a request, which is read when the first rule asks for it.
enum Query<'a> {
    Unread(Option<&'a str>),
    Read(HashMap<Cow<'a, str>, &'a str>),
}

impl<'a> Query<'a> {
    /// Whether there is everything that `conditions` ask for. What stands for a placeholder is added to `captures`.
    fn meets<'c>(
        &mut self,
        conditions: &'a std::collections::BTreeMap<String, Template>,
        captures: &mut Captures<'c>,
    ) -> bool
    where
        'a: 'c,
    {
        conditions.iter().all(|(key, wanted)| {
            let Some(value) = self.get(key) else { return false };
            match wanted.as_str().strip_prefix(':').filter(|name| wanted.names().next() == Some(name)) {
                Some(name) => {
                    captures.insert(name, value);
                    true
                }
                None => plain(value) == plain(wanted.as_str()),
            }
        })
    }

    fn get(&mut self, key: &str) -> Option<&'a str> {
        if let Self::Unread(text) = *self {
            let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let mut values = HashMap::new();
            for (key, value) in pairs {
                values.entry(plain(key)).or_insert(value);
            }
            *self = Self::Read(values);
        }
        match self {
            Self::Read(values) => values.get(&plain(key)).copied(),
            Self::Unread(_) => None,
        }
    }
}

/// A part of a query without its escapes.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::rules::{Dialect, parse_redirects};
    use http::header::ACCEPT_LANGUAGE;

    use super::*;

    /// The targets of the rules that are about a request, in their order.
    fn targets(rules: &str, target: &str, language: &str, country: Option<&str>) -> (String, Varies) {
        let (rules, problems) = parse_redirects(rules, Dialect::Cloudflare);
        assert!(problems.is_empty(), "{problems:?}");
        let redirects = Redirects::new(rules);
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, language.parse().unwrap());
        let asked = Asked { host: "site.test", query, headers: &headers, country };
        let mut varies = Varies::default();
        let found = redirects.matching(&asked, path, &mut varies);
        (found.iter().filter_map(Match::target).collect::<Vec<_>>().join(" "), varies)
    }

    #[test]
    fn lower_lines_come_first() {
        let rules =
            "/a/* /1/:splat\n/a/b /2\nhttps://site.test/a/b /3\nhttps://else.test/a/b /4\n/:x/b /5/:x";
        assert_eq!(targets(rules, "/a/b", "", None).0, "/1/b /2 /3 /5/a");
        assert_eq!(targets(rules, "/b", "", None).0, "");
    }

    #[test]
    fn conditions_on_the_query_are_met_in_any_order() {
        let rules = "/s id=:id lang=de /d/:id\n/s id=:id /x/:id\n/s q=a%20b /q";
        for (target, expected) in [
            ("/s?lang=de&id=7&more", "/d/7 /x/7"),
            ("/s?id=7&lang=en", "/x/7"),
            ("/s?id=", "/x/"),
            ("/s?i%64=7", "/x/7"),
            ("/s?q=a+b", "/q"),
            ("/s", ""),
            ("/s?", ""),
        ] {
            assert_eq!(targets(rules, target, "", None).0, expected, "{target}");
        }
    }

    #[test]
    fn the_language_that_is_liked_best_counts() {
        let rules = "/ /de Language=de\n/ /en Language=en\n/ /other\n/ /fr Language=fr";
        let by_language = Varies { by_language: true, ..Varies::default() };
        for (language, expected) in [
            ("en, de;q=0.3", "/en /de /other"),
            ("de, en;q=0.3", "/de /en /other"),
            ("fr", "/other /fr"),
            ("", "/other"),
        ] {
            assert_eq!(targets(rules, "/", language, None), (expected.to_owned(), by_language), "{language}");
        }
        assert_eq!(targets(rules, "/x", "de", None), (String::new(), Varies::default()));
    }

    #[test]
    fn a_hundred_rules_are_tried() {
        let rules = (0..200).map(|number| format!("/ q{number}=:x /{number}\n")).collect::<Vec<_>>().concat();
        let query = (50..200).map(|number| format!("&q{number}")).collect::<Vec<_>>().concat();
        let (found, _) = targets(&rules, &format!("/?{query}"), "", None);
        assert!(found.starts_with("/50 /51 ") && found.ends_with(" /149"), "{found}");
    }

    #[test]
    fn an_unknown_country_is_none() {
        let rules = "/ /china 302 Country=ch,tw";
        let by_country = Varies { by_country: true, ..Varies::default() };
        for (country, expected) in
            [(Some("TW"), "/china"), (Some("ch"), "/china"), (Some("US"), ""), (None, "")]
        {
            assert_eq!(targets(rules, "/", "", country), (expected.to_owned(), by_country), "{country:?}");
        }
    }
}
