//! `[[redirects]]` and `[[headers]]` of `netlify.toml`, as the rules that they mean.

use std::collections::BTreeMap;

use gitdeploy_core::rules::{Draft, HeaderRule, Headers, Pattern, Problem, Problems, Redirects, Refusal};
use serde::Deserialize;
use toml::{Spanned, Value};

use super::settings::line;

const FILE: &str = "netlify.toml";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Netlify {
    redirects: Vec<Spanned<Value>>,
    headers: Vec<Spanned<Value>>,
}

#[derive(Deserialize)]
struct Redirect {
    #[serde(alias = "origin")]
    from: String,
    #[serde(alias = "destination")]
    to: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    force: bool,
    #[serde(default, alias = "params", alias = "parameters")]
    query: BTreeMap<String, String>,
    #[serde(default)]
    conditions: BTreeMap<String, OneOrMore>,
}

#[derive(Deserialize)]
struct PathHeaders {
    #[serde(rename = "for")]
    path: String,
    #[serde(default)]
    values: BTreeMap<String, OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn values(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::More(values) => values,
        }
        .iter()
        .map(String::as_str)
    }
}

/// Adds the rules of a `netlify.toml` and returns what is wrong in it.
pub(super) fn read(text: &str, redirects: &mut Redirects, headers: &mut Headers) -> Vec<Problem> {
    let mut problems = Problems::of(FILE);
    let netlify: Netlify = match toml::from_str(text) {
        Ok(netlify) => netlify,
        Err(error) => {
            problems.add(line(text, error.span()), error.message());
            return problems.into_list();
        }
    };
    for entry in netlify.redirects {
        let number = line(text, Some(entry.span())).unwrap_or_default();
        match parse(entry).and_then(|entry| redirect(&entry, number, redirects)) {
            Ok(None) => {}
            Ok(Some(remark)) => problems.add(number, remark),
            Err(reason) => problems.add(number, reason),
        }
    }
    for entry in netlify.headers {
        let number = line(text, Some(entry.span())).unwrap_or_default();
        if let Err(reason) = parse(entry).and_then(|entry| header(&entry, number, headers, &mut problems)) {
            problems.add(number, reason);
        }
    }
    problems.into_list()
}

fn parse<'de, T: Deserialize<'de>>(entry: Spanned<Value>) -> Result<T, String> {
    entry.into_inner().try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

fn redirect(entry: &Redirect, line: u32, redirects: &mut Redirects) -> Result<Option<String>, String> {
    let status = entry.status.map_or("301".to_owned(), |status| status.to_string());
    let mut draft = Draft {
        line,
        from: &entry.from,
        query: entry.query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        to: entry.to.as_deref().filter(|to| !to.is_empty()),
        status: Some(&status),
        force: entry.force,
        ..Draft::default()
    };
    for (key, values) in &entry.conditions {
        match key.to_ascii_lowercase().as_str() {
            "country" => draft.country.extend(values.values()),
            "language" => draft.language.extend(values.values()),
            "role" => return Err(Refusal::Role.to_string()),
            _ => return Err(Refusal::Condition(key.clone()).to_string()),
        }
    }
    redirects.add(&draft).map_err(|refusal| refusal.to_string())
}

fn header(
    entry: &PathHeaders,
    line: u32,
    headers: &mut Headers,
    problems: &mut Problems,
) -> Result<(), String> {
    let path = Pattern::parse(&entry.path).map_err(|refusal| refusal.to_string())?;
    let mut rule = HeaderRule::of(path, line);
    for (name, values) in &entry.values {
        for value in values.values() {
            // A long value is written in several lines.
            let value = value.lines().map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>();
            if let Err(refusal) = rule.set(name, &value.join(" ")) {
                problems.add(line, refusal);
            }
        }
    }
    headers.add(rule).map_err(|refusal| refusal.to_string())
}
