//! What a deployment answers to a request: its redirects, rewrites, files and pages, in their order.
//!
//! Pure functions over what is known of a deployment; nothing is read here.

use gitdeploy_core::content_type;
use gitdeploy_core::rules::{Dialect, Spa, is_status};
use http::header::{ACCEPT, HeaderName};
use http::{HeaderMap, Method, StatusCode};

use crate::account::Decision;
use crate::location::{self, Destination};
use crate::redirects::{Asked, Match};
use crate::resolve::{Resolution, collapse};
use crate::site::Published;
use crate::target::{Target, lookup_path};
use crate::varies::Varies;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What a visitor wants to know of a deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) method: &'a Method,
    pub(crate) target: &'a Target<'a>,
    pub(crate) asked: Asked<'a>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The file of this name; with another status than 200 in the place of what was asked for.
    File(StatusCode, String),
    /// That it is elsewhere: the value of `Location`.
    Redirect(StatusCode, String),
    /// Which methods there are.
    Options,
    /// That there is no such method.
    NotAllowed,
    /// Nothing but the status.
    Bare(StatusCode),
    /// Nothing is there.
    Missing,
}

/// What is answered, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) decision: Decision,
    /// Where the rule that decided stands among the redirects.
    pub(crate) rule: Option<usize>,
    pub(crate) varies: Varies,
}

/// What is answered, as far as rules and files say it.
pub(crate) fn decide(site: &Published, question: &Question<'_>) -> Outcome {
    let path = &*question.target.path;
    let mut varies = Varies::default();
    let found = site.pages().resolve(path);
    let rules = site.redirects.matching(&question.asked, &question.target.rule_path, &mut varies);
    if let Some((answer, decision, rule)) = rules.iter().find_map(|rule| apply(site, question, rule, &found))
    {
        return Outcome { answer, decision, rule: Some(rule), varies };
    }
    let told = |answer, decision| Outcome { answer, decision, rule: None, varies };
    match *question.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return told(Answer::Options, Decision::Method),
        _ => return told(Answer::NotAllowed, Decision::Method),
    }
    match found {
        Resolution::File(file) => return told(Answer::File(StatusCode::OK, file), Decision::File),
        Resolution::Redirect(to) => {
            let location = location::within(&to, question.target.query);
            return told(Answer::Redirect(StatusCode::PERMANENT_REDIRECT, location), Decision::Address);
        }
        Resolution::Missing => {}
    }
    if let Some(path) = location::toggled(&question.target.rule_path) {
        let rules = site.redirects.matching(&question.asked, &path, &mut varies);
        if let Some((answer, decision, rule)) =
            rules.iter().find_map(|rule| apply(site, question, rule, &found))
        {
            return Outcome { answer, decision, rule: Some(rule), varies };
        }
    }
    Outcome { answer: Answer::Missing, decision: Decision::Missing, rule: None, varies }
}

/// What is answered where nothing is: the site's own page for that, or its front page.
pub(crate) fn missing(site: &Published, question: &Question<'_>, varies: Varies) -> Outcome {
    let told = |answer, decision, varies| Outcome { answer, decision, rule: None, varies };
    if let Some(page) = site.not_found_page(&question.target.path) {
        return told(Answer::File(StatusCode::NOT_FOUND, page), Decision::NotFoundPage, varies);
    }
    let front = match site.serve.spa {
        Spa::Off => None,
        Spa::All | Spa::Auto => site.front(),
    };
    let Some(front) = front else { return told(Answer::Missing, Decision::Missing, varies) };
    let by_purpose = site.serve.spa == Spa::Auto && is_asset(&question.target.path);
    let varies = Varies { by_purpose, ..varies };
    if by_purpose && !opens_a_page(question.asked.headers) {
        return told(Answer::Missing, Decision::Missing, varies);
    }
    told(Answer::File(StatusCode::OK, front.to_owned()), Decision::FrontPage, varies)
}

/// What a rule that is about the request makes of it; nothing if it does not apply after all.
fn apply(
    site: &Published,
    question: &Question<'_>,
    matched: &Match<'_>,
    found: &Resolution,
) -> Option<(Answer, Decision, usize)> {
    let rule = matched.rule;
    let yields = match site.serve.redirects {
        Dialect::Cloudflare => rule.is_rewrite() && !rule.is_fixed(),
        Dialect::Netlify => true,
    };
    if yields && !rule.force && *found != Resolution::Missing {
        return None;
    }
    let destination = Destination::of(&matched.target()?, question.asked.host);
    if rule.is_rewrite() {
        let is_read = matches!(*question.method, Method::GET | Method::HEAD);
        let answer = rewrite(site, &destination, status(rule.status)?).filter(|_| is_read)?;
        return Some((answer, Decision::Rewrite, matched.place));
    }
    if leads_back(site, question, &destination) {
        return None;
    }
    let location = destination.location(question.target.query);
    Some((Answer::Redirect(status(rule.status)?, location), Decision::Redirect, matched.place))
}

/// What lies at the target of a rewrite. Where nothing does, only a status that says more than 200 is left.
fn rewrite(site: &Published, destination: &Destination, status: StatusCode) -> Option<Answer> {
    let Destination::Here { path, .. } = destination else { return None };
    let path = lookup_path(path).ok()?;
    if let Some(file) = site.pages().shown(&path) {
        return Some(Answer::File(status, file));
    }
    match status {
        StatusCode::OK => None,
        StatusCode::NOT_FOUND => Some(match site.not_found_page(&path) {
            Some(page) => Answer::File(status, page),
            None => Answer::Bare(status),
        }),
        _ => Some(Answer::Bare(status)),
    }
}

/// Whether a redirect leads to the path that was asked for, at once or by the rules for HTML pages.
fn leads_back(site: &Published, question: &Question<'_>, destination: &Destination) -> bool {
    let Destination::Here { path, .. } = destination else { return false };
    let Ok(path) = lookup_path(path) else { return true };
    let here = collapse(&question.target.path);
    collapse(&path) == here || matches!(site.pages().resolve(&path), Resolution::Redirect(to) if *to == *here)
}

/// A status that a rule may have. Whatever a damaged manifest says, a body does not follow a 100 or a 204.
fn status(code: u16) -> Option<StatusCode> {
    StatusCode::from_u16(code).ok().filter(|_| is_status(code))
}

/// Whether a path looks like that of a script, an image or the like, which is never the address of a page.
pub(crate) fn is_asset(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let kind = content_type::of(name);
    kind != content_type::UNKNOWN && !kind.starts_with("text/html")
}

/// Whether a visitor opens a page, as opposed to a page that loads a part of itself.
fn opens_a_page(headers: &HeaderMap) -> bool {
    let has = |name, wanted: &str| {
        headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(wanted)))
    };
    has(ACCEPT, "text/html") || has(SEC_FETCH_MODE, "navigate")
}

#[cfg(test)]
mod tests;
