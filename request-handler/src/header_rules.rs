//! `_headers` of a deployment, ready to be applied to answers.

use std::collections::HashSet;

use gitdeploy_core::rules::{Captures, HeaderRule, Pattern, Template, is_of_the_server};
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::index::Index;

/// How much may be set for one answer, in bytes: clients refuse heads that are much larger, and proxies in front of us.
const MOST: usize = 16 << 10;

/// What belongs to a header beside its name and its value, in bytes: `: ` and the end of the line.
const FRAME: usize = 4;

/// What the author of a deployment does to the headers of answers.
#[derive(Debug, Default)]
pub(crate) struct HeaderRules {
    rules: Vec<Rule>,
    index: Index,
}

#[derive(Debug)]
struct Rule {
    line: u32,
    path: Pattern,
    unset: Vec<HeaderName>,
    set: Vec<(HeaderName, Value)>,
}

#[derive(Debug)]
enum Value {
    Fixed(HeaderValue),
    Template(Template),
}

impl HeaderRules {
    /// What cannot be sent as a header, or is ours, is left out.
    pub(crate) fn new(rules: &[HeaderRule]) -> Self {
        let rules: Vec<_> = rules.iter().map(Rule::new).collect();
        Self { index: Index::new(rules.iter().map(|rule| &rule.path)), rules }
    }

    /// Applies the rules that are about a request for `path`, as it was sent, at `host`, and returns their lines.
    /// What we say by ourselves is replaced by the first rule that sets the same; further ones add to it. From the
    /// first on that has no room in the head, none are set.
    pub(crate) fn apply<B>(&self, host: &str, path: &str, response: &mut Response<B>) -> Vec<u32> {
        let status = response.status();
        let mut lines = Vec::new();
        if status.is_server_error() {
            return lines;
        }
        let mut set = HashSet::new();
        let mut room = MOST;
        let headers = response.headers_mut();
        for place in self.index.candidates(path) {
            let rule = &self.rules[place];
            let Some(captures) = rule.path.captures(host, path) else { continue };
            lines.push(rule.line);
            for name in &rule.unset {
                headers.remove(name);
            }
            for (name, value) in &rule.set {
                // What is not there may be there in the next moment.
                let is_refused = *name == CACHE_CONTROL && !is_kept(status);
                if is_refused {
                    continue;
                }
                let most = room.saturating_sub(name.as_str().len() + FRAME);
                let Some(value) = value.fill(&captures, most) else {
                    room = 0;
                    continue;
                };
                room = most - value.len();
                if set.insert(name) && *name != VARY {
                    headers.insert(name, value);
                } else {
                    headers.append(name, value);
                }
            }
        }
        lines
    }
}

fn is_kept(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || status == StatusCode::GONE
}

impl Rule {
    fn new(rule: &HeaderRule) -> Self {
        let name =
            |text: &str| text.parse().ok().filter(|name: &HeaderName| !is_of_the_server(name.as_str()));
        let captured =
            |template: &Template| template.names().any(|name| rule.path.names().any(|own| own == name));
        let value = |template: &Template| {
            if captured(template) {
                Some(Value::Template(template.clone()))
            } else {
                sendable(template.as_str()).map(Value::Fixed)
            }
        };
        Self {
            line: rule.line,
            path: rule.path.clone(),
            // Caches go by `Vary`: who takes it away has visitors see what is meant for others.
            unset: rule.unset.iter().filter_map(|text| name(text)).filter(|name| *name != VARY).collect(),
            set: rule
                .set
                .iter()
                .filter_map(|(text, template)| Some((name(text)?, value(template)?)))
                .collect(),
        }
    }
}

impl Value {
    /// The value, if it has at most `most` bytes.
    fn fill(&self, captures: &Captures<'_>, most: usize) -> Option<HeaderValue> {
        match self {
            Self::Fixed(value) => (value.len() <= most).then(|| value.clone()),
            Self::Template(template) => sendable(&template.expand(captures, most)?),
        }
    }
}

/// A value. Text beyond ASCII is sent as UTF-8, as other servers do.
fn sendable(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::rules::parse_headers;

    use super::*;

    /// The headers of an answer after the rules, sorted, with the lines that applied.
    fn applied(rules: &str, path: &str, status: u16) -> (String, Vec<u32>) {
        let (rules, problems) = parse_headers(rules);
        assert!(problems.is_empty(), "{problems:?}");
        let response = Response::builder()
            .status(status)
            .header("cache-control", "ours")
            .header("etag", "\"1\"")
            .header("vary", "accept-encoding")
            .header("location", "/x");
        let mut response = response.body(()).unwrap();
        let lines = HeaderRules::new(&rules).apply("a.test", path, &mut response);
        let mut shown: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .filter(|shown| shown != "location=/x")
            .collect();
        shown.sort();
        (shown.join(" | "), lines)
    }

    #[test]
    fn rules_replace_ours_and_add_to_each_other() {
        let rules = "/*\n  X: 1\n  Cache-Control: theirs\n  Vary: cookie\n/a/:id\n  X: :id\n  ! ETag\n  ! Vary\n  ! Location\n\
                     https://b.test/a/*\n  Y: 1\n/a/*\n  ! X\n  X: :splat";
        let ours = "etag=\"1\" | vary=accept-encoding";
        for (path, status, expected, lines) in [
            ("/b", 200, format!("cache-control=theirs | {ours} | vary=cookie | x=1"), vec![1]),
            (
                "/a/7",
                200,
                "cache-control=theirs | vary=accept-encoding | vary=cookie | x=7".to_owned(),
                vec![1, 5, 12],
            ),
            ("/b", 304, format!("cache-control=theirs | {ours} | vary=cookie | x=1"), vec![1]),
            ("/b", 404, format!("cache-control=ours | {ours} | vary=cookie | x=1"), vec![1]),
            ("/b", 503, format!("cache-control=ours | {ours}"), vec![]),
        ] {
            let shown = applied(rules, path, status);
            assert_eq!(shown, (expected, lines), "{path} {status}");
        }
    }

    #[test]
    fn what_is_ours_stays_ours_however_it_is_written() {
        let mut rule = HeaderRule::of(Pattern::parse("/*").unwrap(), 1);
        rule.set = ["Location", "content-length", "X"].map(|name| (name.to_owned(), "1".into())).to_vec();
        rule.unset = vec!["LOCATION".to_owned()];
        let mut response = Response::builder().header("location", "/x").body(()).unwrap();
        HeaderRules::new(&[rule]).apply("a.test", "/", &mut response);
        let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(
            (names, &response.headers()["location"]),
            (vec!["location", "x"], &HeaderValue::from_static("/x"))
        );
    }

    #[test]
    fn a_head_does_not_grow_without_bounds() {
        let long = "x".repeat(1990);
        let rules = (0..9)
            .map(|number| format!("/*\n  {number}: {long}\n  {number}-: :splat\n"))
            .collect::<Vec<_>>()
            .concat();
        let (shown, lines) = applied(&rules, &format!("/{}", "y".repeat(3000)), 200);
        assert_eq!(lines.len(), 9);
        let values = |character: &str| shown.matches(&format!("={character}")).count();
        assert_eq!((values("x"), values("y")), (3, 3), "{}", shown.len());
    }
}
