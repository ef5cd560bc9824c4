//! What the author of a site says about how it is served, read from the output and from beside the sources.

mod caching;
mod html;
mod links;
mod netlify;
mod preload;
mod read;
mod settings;

use std::path::Path;

use gitdeploy_core::manifest::Rules;
use gitdeploy_core::rules::{Headers, Problem, Problems, Redirects};

use crate::output::SiteFile;
use read::Places;

pub(crate) use caching::Names;
pub(crate) use links::report;
pub(crate) use preload::Preloads;

/// Files of a site that say how it is served, and are not served themselves.
const CONTROL_FILES: [&str; 3] = ["_headers", "_redirects", "gitdeploy.toml"];

/// The largest file of rules that is read, in bytes: all rules that are allowed fit, with long comments.
const LARGEST: u64 = 4 << 20;

/// How many problems are told one by one in the log.
const TOLD: usize = 20;

/// What the files of a site do not say themselves.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) rules: Rules,
    pub(crate) names: Names,
}

/// The rules of the site that consists of `files`, whose sources lie in the directory of the
/// `project`, if one was built, of the repository at `source`. Files that are for us alone are taken out of `files`.
pub(crate) fn rules(files: &mut Vec<SiteFile>, project: Option<&Path>, source: &Path) -> Rules {
    let beside = project.is_some_and(|project| project != source).then_some(source);
    let directories: Vec<_> = project.into_iter().chain(beside).collect();
    let places = Places { files, directories: &directories };
    let mut problems = Vec::new();
    let netlify = places.read("netlify.toml", LARGEST, &mut problems);
    let settings = places.each("gitdeploy.toml", LARGEST, &mut problems);
    let serve = settings::serve(&settings, netlify.is_some(), &mut problems);

    let mut redirects = Redirects::new(serve.redirects).with_pages(serve.html_handling);
    let mut headers = Headers::default();
    if let Some(text) = places.read_output("_redirects", LARGEST, &mut problems) {
        problems.extend(redirects.read(&text));
    }
    if let Some(text) = places.read_output("_headers", LARGEST, &mut problems) {
        problems.extend(headers.read(&text));
    }
    if let Some(text) = netlify {
        problems.extend(netlify::read(&text, &mut redirects, &mut headers));
    }
    if let Some(text) = places.read("vercel.json", LARGEST, &mut problems) {
        problems.extend(unread_of_vercel(&text));
    }
    problems.extend(places.misplaced());
    files.retain(|file| !CONTROL_FILES.contains(&file.path.as_str()));
    Rules { redirects: redirects.into_rules(), headers: headers.into_rules(), problems, serve }
}

/// What is told in the log: the first problems, and how many there are beyond.
pub(crate) fn notices(problems: &[Problem]) -> Vec<String> {
    let mut notices: Vec<_> = problems.iter().take(TOLD).map(ToString::to_string).collect();
    if problems.len() > TOLD {
        notices
            .push(format!("{} more problems with rules are listed in the manifest", problems.len() - TOLD));
    }
    notices
}

/// How many rules there are, in words; nothing where there are none.
pub(crate) fn summary(rules: &Rules) -> Option<String> {
    let counted = |count: usize, one: &str, more: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {more}")),
    };
    let redirects = counted(rules.redirects.len(), "redirect", "redirects");
    let headers = counted(rules.headers.len(), "path with headers", "paths with headers");
    let parts: Vec<_> = redirects.into_iter().chain(headers).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Rules in `vercel.json` are written in another language than ours.
fn unread_of_vercel(text: &str) -> Vec<Problem> {
    let mut problems = Problems::of("vercel.json");
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else { return Vec::new() };
    let keys = ["redirects", "rewrites", "headers", "routes", "cleanUrls", "trailingSlash"];
    let unread: Vec<_> =
        keys.iter().filter(|key| object.contains_key(**key)).map(|key| format!("`{key}`")).collect();
    if !unread.is_empty() {
        let reason = format!(
            "{} are not read: write redirects and rewrites into `_redirects` and headers into `_headers` of the output",
            unread.join(", ")
        );
        problems.add(None, reason);
    }
    problems.into_list()
}

#[cfg(test)]
mod tests;
