//! `_headers`: what is added to answers, and what is taken away from them, by path.

use serde::{Deserialize, Serialize};

use super::problem::{Problem, Problems, Refusal, check_line, shown};
use super::{Pattern, Template};

/// The name of the file.
const FILE: &str = "_headers";
/// How many paths may have headers.
const MAX_RULES: usize = 100;
/// How many headers a path may have.
const MAX_HEADERS: usize = 100;

/// What belongs to the connection or follows from the body: a site that could set it could break the protocol.
const OF_THE_SERVER: [&str; 16] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "gitdeploy-explanation",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is done to the headers of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    /// The line of the path.
    pub line: u32,
    /// The requests it is about.
    pub path: Pattern,
    /// Headers that are taken away, by their names in lower case. That comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// Headers that are added: names in lower case, and values. A name may stand more than once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, Template)>,
}

/// The rules of a site while they are collected.
#[derive(Debug, Default)]
pub struct Headers {
    rules: Vec<HeaderRule>,
}

impl Headers {
    /// Adds the rules of a `_headers` file and returns what is wrong in it.
    pub fn read(&mut self, text: &str) -> Vec<Problem> {
        let mut problems = Problems::of(FILE);
        let mut at = At::Start;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if is_path(line) {
                self.finish(at, &mut problems);
                at = match path(line) {
                    Ok(path) => At::Path(Box::new(HeaderRule::of(path, number))),
                    Err(refusal) => {
                        problems.add(number, refusal);
                        At::Refused
                    }
                };
                continue;
            }
            let added = match &mut at {
                At::Start => Err(Refusal::HeaderBeforePath),
                At::Path(rule) => check_line(line).and_then(|()| rule.read(line)),
                // The path above is told.
                At::Refused => continue,
            };
            if let Err(refusal) = added {
                problems.add(number, refusal);
            }
        }
        self.finish(at, &mut problems);
        problems.into_list()
    }

    /// Adds the headers of one path.
    pub fn add(&mut self, rule: HeaderRule) -> Result<(), Refusal> {
        if rule.set.is_empty() && rule.unset.is_empty() {
            return Err(Refusal::NoHeaders(shown(rule.path.as_str())));
        }
        if self.rules.len() == MAX_RULES {
            return Err(Refusal::TooManyPaths(MAX_RULES));
        }
        self.rules.push(rule);
        Ok(())
    }

    /// The rules in the order in which they were added.
    pub fn into_rules(self) -> Vec<HeaderRule> {
        self.rules
    }

    fn finish(&mut self, at: At, problems: &mut Problems) {
        if let At::Path(rule) = at {
            let line = rule.line;
            if let Err(refusal) = self.add(*rule) {
                problems.add(line, refusal);
            }
        }
    }
}

/// The path under which the next header stands.
enum At {
    Start,
    Path(Box<HeaderRule>),
    Refused,
}

/// Whether a header, by its name in lower case, is the server's alone.
pub fn is_of_the_server(name: &str) -> bool {
    OF_THE_SERVER.contains(&name)
}

/// The rules of a `_headers` file, and what is wrong in it.
pub fn parse(text: &str) -> (Vec<HeaderRule>, Vec<Problem>) {
    let mut headers = Headers::default();
    let problems = headers.read(text);
    (headers.into_rules(), problems)
}

impl HeaderRule {
    /// A rule for `path`, which stands in `line`, without headers yet.
    pub fn of(path: Pattern, line: u32) -> Self {
        Self { line, path, unset: Vec::new(), set: Vec::new() }
    }

    /// Adds `Name: value` or `! Name`.
    fn read(&mut self, line: &str) -> Result<(), Refusal> {
        if let Some(name) = line.strip_prefix('!') {
            let has_space = name.starts_with([' ', '\t']);
            let name = header_name(name.trim()).filter(|_| has_space);
            let name = name.ok_or_else(|| Refusal::NotAHeader(shown(line)))?;
            self.has_room()?;
            self.unset.push(name);
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or_else(|| Refusal::NotAHeader(shown(line)))?;
        self.set(name, value)
    }

    /// Adds a header.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let (written, value) = (name.trim(), value.trim());
        let name = header_name(written).ok_or_else(|| Refusal::HeaderName(shown(written)))?;
        if is_of_the_server(&name) {
            return Err(Refusal::OfTheServer(shown(written)));
        }
        if value.is_empty() {
            return Err(Refusal::EmptyValue(shown(written)));
        }
        if value.chars().any(|character| character.is_control() && character != '\t') {
            return Err(Refusal::Control);
        }
        let template = Template::from(value);
        if name == "set-cookie" {
            if value.split(';').skip(1).any(is_domain) {
                return Err(Refusal::CookieDomain);
            }
            if template.names().any(|name| self.path.names().any(|captured| captured == name)) {
                return Err(Refusal::CookieTemplate);
            }
        }
        self.has_room()?;
        self.set.push((name, template));
        Ok(())
    }

    fn has_room(&self) -> Result<(), Refusal> {
        let is_full = self.set.len() + self.unset.len() == MAX_HEADERS;
        if is_full { Err(Refusal::TooManyHeaders(MAX_HEADERS)) } else { Ok(()) }
    }
}

fn path(line: &str) -> Result<Pattern, Refusal> {
    check_line(line)?;
    if !line.starts_with('/') && !line.starts_with("https://") {
        return Err(Refusal::Scheme);
    }
    Pattern::parse(line)
}

fn is_path(line: &str) -> bool {
    let has_scheme = line.split_once("://").is_some_and(|(scheme, _)| !scheme.contains([' ', '\t', ':']));
    line.starts_with('/') || has_scheme
}

/// The name in lower case, if it is one (RFC 9110, 5.6.2).
fn header_name(name: &str) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_token)).then(|| name.to_ascii_lowercase())
}

fn is_domain(attribute: &str) -> bool {
    attribute.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("domain"))
}

#[cfg(test)]
mod tests;
