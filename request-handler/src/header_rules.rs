//! `_headers` of a deployment, ready to be applied to answers.

use std::collections::HashSet;

use gitdeploy_core::rules::{Captures, HeaderRule, Pattern, Template, is_of_the_server};
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::index::Index;

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
    /// What we say by ourselves is replaced by the first rule that sets the same; further ones add to it.
    pub(crate) fn apply<B>(&self, host: &str, path: &str, response: &mut Response<B>) -> Vec<u32> {
        let status = response.status();
        let mut lines = Vec::new();
        if status.is_server_error() {
            return lines;
        }
        let mut set = HashSet::new();
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
                let Some(value) = value.fill(&captures).filter(|_| !is_refused) else { continue };
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
        let name = |text: &str| text.parse().ok().filter(|_| !is_of_the_server(text));
        let captured =
            |template: &Template| template.names().any(|name| rule.path.names().any(|own| own == name));
        let value = |template: &Template| {
            if captured(template) {
                Some(Value::Template(template.clone()))
            } else {
                fixed(template).map(Value::Fixed)
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
    fn fill(&self, captures: &Captures<'_>) -> Option<HeaderValue> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Template(template) => HeaderValue::from_str(&template.expand(captures)).ok(),
        }
    }
}

/// A value as it stands. Text beyond ASCII is sent as UTF-8, as other servers do.
fn fixed(template: &Template) -> Option<HeaderValue> {
    HeaderValue::from_bytes(template.as_str().as_bytes()).ok()
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
}
