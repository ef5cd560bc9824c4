//! `_redirects`: where requests lead instead, one rule a line.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::{encode, normalize, split};
use super::problem::{Problem, Problems, Refusal, check_line, shown};
use super::serve::{Dialect, HtmlHandling};
use super::{Captures, Pattern, Template};

/// The name of the file.
const FILE: &str = "_redirects";
/// How many rules may name one path each.
const MAX_FIXED: usize = 2000;
/// How many rules may have `*` or placeholders.
const MAX_DYNAMIC: usize = 100;
/// The longest target with what was captured in it, in bytes: browsers are not sent to addresses that no server takes.
const LONGEST_TARGET: usize = 8 << 10;
/// The statuses that a rule may answer with.
const STATUSES: [u16; 12] = [200, 301, 302, 303, 307, 308, 403, 404, 410, 418, 451, 503];

/// Where requests lead instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The line it stands in.
    pub line: u32,
    /// The requests it is about.
    pub from: Pattern,
    /// What the query must hold: a value, or a placeholder, which takes any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, Template>,
    /// A path of this site, or with a 3xx an address anywhere.
    pub to: Template,
    /// 3xx sends the visitor there; any other serves what lies there, with this status.
    pub status: u16,
    /// Whether it holds where a file lies, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The countries whose visitors it is for, in lower case; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub country: Vec<String>,
    /// The languages whose readers it is for, in lower case; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub language: Vec<String>,
}

impl Redirect {
    /// Whether it serves what lies at the target, instead of sending the visitor there.
    pub fn is_rewrite(&self) -> bool {
        !(300..400).contains(&self.status)
    }

    /// Whether it is about one path alone.
    pub fn is_fixed(&self) -> bool {
        self.from.is_fixed()
    }

    /// The target for what was captured, if it is not too long for an address. A path begins with exactly one `/`,
    /// whatever was captured.
    pub fn target(&self, captures: &Captures<'_>) -> Option<String> {
        let target = self.to.expand(captures, LONGEST_TARGET)?;
        let is_elsewhere = is_absolute(&target);
        Some(if is_elsewhere { target } else { format!("/{}", target.trim_start_matches(['/', '\\'])) })
    }
}

/// The rule as a line of `_redirects`.
impl fmt::Display for Redirect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, query, to, status, force, country, language, .. } = self;
        formatter.write_str(from.as_str())?;
        for (key, value) in query {
            write!(formatter, " {key}={}", value.as_str())?;
        }
        write!(formatter, " {} {status}{}", to.as_str(), if *force { "!" } else { "" })?;
        for (name, list) in [("Country", country), ("Language", language)] {
            if !list.is_empty() {
                write!(formatter, " {name}={}", list.join(","))?;
            }
        }
        Ok(())
    }
}

/// A rule as it was written, wherever that was.
#[derive(Debug, Clone, Default)]
pub struct Draft<'a> {
    /// The line it stands in.
    pub line: u32,
    /// The source.
    pub from: &'a str,
    /// Conditions on the query.
    pub query: Vec<(&'a str, &'a str)>,
    /// The target; absent: the source again.
    pub to: Option<&'a str>,
    /// The status, as a text.
    pub status: Option<&'a str>,
    /// Whether it holds where a file lies, too.
    pub force: bool,
    /// Countries.
    pub country: Vec<&'a str>,
    /// Languages.
    pub language: Vec<&'a str>,
}

/// The rules of a site while they are collected: what holds for all of them together is kept here.
#[derive(Debug)]
pub struct Redirects {
    dialect: Dialect,
    handling: HtmlHandling,
    rules: Vec<Redirect>,
    /// In which line a source with its conditions stands.
    seen: HashMap<String, u32>,
    fixed: usize,
}

impl Redirects {
    /// None yet.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, handling: HtmlHandling::default(), rules: Vec::new(), seen: HashMap::new(), fixed: 0 }
    }

    /// For a site whose pages are handled so.
    #[must_use]
    pub fn with_pages(self, handling: HtmlHandling) -> Self {
        Self { handling, ..self }
    }

    /// Adds the rules of a `_redirects` file and returns what is wrong in it.
    pub fn read(&mut self, text: &str) -> Vec<Problem> {
        let mut problems = Problems::of(FILE);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match draft(line, number).and_then(|draft| self.add(&draft)) {
                Ok(None) => {}
                Ok(Some(remark)) => problems.add(number, remark),
                Err(refusal) => problems.add(number, refusal),
            }
        }
        problems.into_list()
    }

    /// Adds one rule. What it returns is something that the author should know about it.
    pub fn add(&mut self, draft: &Draft<'_>) -> Result<Option<String>, Refusal> {
        let rule = self.rule(draft)?;
        let key = serde_json::to_string(&(&rule.from, &rule.query, &rule.country, &rule.language));
        let key = key.expect("texts become JSON");
        if let Some(line) = self.seen.get(&key) {
            return Err(Refusal::Duplicate(*line));
        }
        if rule.is_fixed() && self.fixed == MAX_FIXED {
            return Err(Refusal::TooManyFixed(MAX_FIXED));
        }
        if !rule.is_fixed() && self.rules.len() - self.fixed == MAX_DYNAMIC {
            return Err(Refusal::TooManyDynamic(MAX_DYNAMIC));
        }
        self.fixed += usize::from(rule.is_fixed());
        self.seen.insert(key, draft.line);
        let (path, query) = split(draft.from);
        let remark = (!query.is_empty()).then(|| {
            let (path, query) = (shown(path), shown(query));
            format!(
                "`{query}` is passed over: a condition on the query is written `{path} key=value /target`"
            )
        });
        self.rules.push(rule);
        Ok(remark)
    }

    /// The rules in the order in which they were added.
    pub fn into_rules(self) -> Vec<Redirect> {
        self.rules
    }

    fn rule(&self, draft: &Draft<'_>) -> Result<Redirect, Refusal> {
        let from = Pattern::parse(draft.from)?;
        let status = match draft.status {
            Some(text) => status(text)?,
            None => self.dialect.default_status(),
        };
        let to = match draft.to {
            Some(to) => target(to)?,
            None if status == 200 => split(draft.from).0.replace('*', ":splat"),
            None => return Err(Refusal::NoTarget(shown(draft.from))),
        };
        let rule = Redirect {
            line: draft.line,
            query: draft
                .query
                .iter()
                .map(|(key, value)| (encode(key), Template::from(encode(value))))
                .collect(),
            to: Template::from(to),
            status,
            force: draft.force,
            country: lower(&draft.country),
            language: lower(&draft.language),
            from,
        };
        if rule.is_rewrite() && is_absolute(rule.to.as_str()) {
            return Err(Refusal::RewriteOutside { status, to: shown(rule.to.as_str()) });
        }
        if draft.from.starts_with("/.netlify/") {
            return Err(Refusal::Reserved);
        }
        // Where paths are files, `/index.html` is served at no other path.
        if self.handling != HtmlHandling::None && leads_in_a_circle(&rule) {
            return Err(Refusal::Circle(shown(rule.to.as_str())));
        }
        Ok(rule)
    }
}

/// The rules of a `_redirects` file, and what is wrong in it.
pub fn parse(text: &str, dialect: Dialect) -> (Vec<Redirect>, Vec<Problem>) {
    let mut redirects = Redirects::new(dialect);
    let problems = redirects.read(text);
    (redirects.into_rules(), problems)
}

/// `from [key=value …] [to] [status[!]] [Country=… Language=…] [# comment]`
fn draft(line: &str, number: u32) -> Result<Draft<'_>, Refusal> {
    check_line(line)?;
    let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#')).peekable();
    let from = words.next().unwrap_or_default();
    let mut draft = Draft { line: number, from, ..Draft::default() };
    while let Some(word) = words.peek().copied() {
        if is_target(word) {
            draft.to = words.next();
            break;
        }
        if as_status(word).is_some() {
            break;
        }
        match word.split_once('=') {
            Some(("", _)) => return Err(Refusal::UnnamedQuery(shown(word))),
            Some(condition) => draft.query.push(condition),
            None => return Err(Refusal::NotATarget(shown(word))),
        }
        words.next();
    }
    if let Some((status, force)) = words.peek().and_then(|word| as_status(word)) {
        (draft.status, draft.force) = (Some(status), force);
        words.next();
    }
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| Refusal::Surplus(shown(word)))?;
        let values: Vec<_> = value.split(',').filter(|value| !value.is_empty()).collect();
        let list = match key.to_ascii_lowercase().as_str() {
            "country" => &mut draft.country,
            "language" => &mut draft.language,
            "role" => return Err(Refusal::Role),
            _ => return Err(Refusal::Condition(shown(word))),
        };
        if values.is_empty() {
            return Err(Refusal::EmptyCondition(shown(key)));
        }
        list.extend(values);
    }
    Ok(draft)
}

fn is_target(word: &str) -> bool {
    word.starts_with(['/', '\\']) || is_absolute(word)
}

fn is_absolute(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

/// A status as it is written, and whether a `!` follows it.
fn as_status(word: &str) -> Option<(&str, bool)> {
    let digits = word.strip_suffix('!').unwrap_or(word);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((digits, digits.len() < word.len()))
}

fn status(text: &str) -> Result<u16, Refusal> {
    let status = text.parse().ok().filter(|status| is_status(*status));
    status.ok_or_else(|| Refusal::Status(shown(text)))
}

/// Whether a rule may answer with a status.
pub fn is_status(status: u16) -> bool {
    STATUSES.contains(&status)
}

/// A target in the form in which `Location` carries it.
fn target(to: &str) -> Result<String, Refusal> {
    let (start, address) = if is_absolute(to) {
        let scheme = to.find("//").map_or(0, |at| at + 2);
        let end = to[scheme..].find(['/', '\\', '?', '#']).map_or(to.len(), |at| scheme + at);
        if end == scheme {
            return Err(Refusal::NoHost(shown(to)));
        }
        to.split_at(end)
    } else {
        ("", to)
    };
    let (path, query) = split(address);
    let path = normalize(path);
    if start.is_empty() && path.starts_with("//") {
        return Err(Refusal::ProtocolRelative);
    }
    Ok(format!("{}{path}{}", encode(start), encode(query)))
}

fn lower(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| value.to_ascii_lowercase()).collect()
}

/// Whether a redirect leads to an `index.html` that is served at a path to which it applies again.
fn leads_in_a_circle(rule: &Redirect) -> bool {
    let is_unconditional = rule.query.is_empty() && rule.country.is_empty() && rule.language.is_empty();
    if rule.is_rewrite() || rule.from.has_host() || !is_unconditional || is_absolute(rule.to.as_str()) {
        return false;
    }
    let path = split(rule.to.as_str()).0;
    let served = path.strip_suffix("/index.html").or_else(|| path.strip_suffix("/index"));
    served.is_some_and(|directory| rule.from.captures("", &format!("{directory}/")).is_some())
}

#[cfg(test)]
mod tests;
