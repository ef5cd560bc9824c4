//! An explanation in words: a sentence, and what it rests on.

use gitdeploy_core::Explanation;
use jiff::Timestamp;
use reqwest::StatusCode;

use super::{Explained, safe};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// How wide the names are.
const WIDTH: usize = 13;

/// The lines for people: what happened, then the facts of which there are any.
pub(super) fn lines(explained: &Explained) -> Vec<String> {
    let status = StatusCode::from_u16(explained.status).map_or_else(|_| String::new(), |s| s.to_string());
    let sentence = safe(&format!("{status}: {}", sentence(explained)));
    let facts = facts(explained).into_iter().filter_map(|(name, fact)| Some((name, safe(&fact?))));
    let facts = facts.map(|(name, fact)| format!("  {DIM}{name:WIDTH$}{PLAIN}  {fact}"));
    std::iter::once(format!("{BOLD}{sentence}{PLAIN}")).chain(facts).collect()
}

/// What decided, in one sentence.
fn sentence(explained: &Explained) -> String {
    let Explained { explanation, location, .. } = explained;
    let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
    let location = of(location);
    let rule = match explanation.redirect_line {
        Some(line) => format!("the rule in line {line}"),
        None => "a rule".to_owned(),
    };
    let file = sent(explanation);
    match explanation.decision.as_deref() {
        Some("file") => file,
        Some("address") => format!("the page has one address, which is {location}"),
        Some("redirect") => format!("{rule} leads to {location}"),
        Some("rewrite") if explanation.file.is_none() => format!("{rule} answers with the status alone"),
        Some("rewrite") => format!("{rule} shows {file}"),
        Some("grace") => format!("nothing is there any more; pages that are still open get {file}"),
        Some("front-page") => format!("nothing is there; the site's front page stands in, {file}"),
        Some("not-found-page") => format!("nothing is there; the site's own page says so, {file}"),
        Some("missing") => "nothing is there, and the site has no page that says so".to_owned(),
        Some("method") => "the method is not one that a site answers".to_owned(),
        Some("malformed") => "the path cannot be looked up".to_owned(),
        Some("unfinished") => "a build is on its way, or has failed; nothing is published yet".to_owned(),
        Some("no-site") => "no site is served at the host".to_owned(),
        Some("password") => "the visitor has to give the site's password first".to_owned(),
        Some("maintenance") => "the site is in maintenance".to_owned(),
        Some("fault") => explanation.fault.clone().unwrap_or_else(|| "something failed".to_owned()),
        Some(other) => format!("it was decided by `{other}`"),
        None => "nothing had to be decided".to_owned(),
    }
}

/// The file and what was sent of it.
fn sent(explanation: &Explanation) -> String {
    let Explanation { file, file_deployment, deployment, encoding, source, .. } = explanation;
    let name = file.as_ref().map_or_else(|| "a file".to_owned(), |file| format!("the file `{file}`"));
    let of = match (file_deployment, deployment) {
        (Some(earlier), _) => format!(" of the earlier deployment {earlier}"),
        (None, Some(prefix)) if is_plain(explanation) => format!(" of the prefix {prefix}"),
        (None, Some(deployment)) => format!(" of deployment {deployment}"),
        (None, None) => String::new(),
    };
    let encoding = encoding.as_ref().map(|encoding| format!(", compressed with {encoding}"));
    let source = source.as_ref().map(|source| format!(", {}", from(source)));
    [Some(name), Some(of), encoding, source].into_iter().flatten().collect()
}

/// Whether there is no deployment, but only files under the name of the site.
fn is_plain(explanation: &Explanation) -> bool {
    explanation.found_by.as_deref() == Some("prefix")
}

/// Name and value of each fact, in the order in which the proxy found it out.
fn facts(explained: &Explained) -> Vec<(&'static str, Option<String>)> {
    let Explained { explanation, location, .. } = explained;
    let with = |text: &Option<String>, source: &Option<String>| {
        let text = text.as_ref()?;
        Some(match source {
            Some(source) => format!("{text} ({})", known(source)),
            None => text.clone(),
        })
    };
    let found_by = explanation.found_by.as_deref().map(|by| match by {
        "deployment" => "its label is the id of a deployment".to_owned(),
        "route" => route(explanation),
        "manifest" => "there is a manifest of that name".to_owned(),
        "prefix" => "its name alone: no route and no manifest has it".to_owned(),
        "build" => "a build is noted for it".to_owned(),
        other => other.to_owned(),
    });
    let redirect = explanation.redirect.as_ref().map(|rule| match explanation.redirect_line {
        Some(line) => format!("{rule} (line {line})"),
        None => rule.clone(),
    });
    let deployment = with(&explanation.deployment, &explanation.manifest_source);
    let body = explanation.source.as_deref().map(|source| match explanation.store_ms {
        Some(waited) if source == "store" => format!("{}, after {waited:.1} ms", from(source)),
        _ => from(source),
    });
    vec![
        ("site", with(&explanation.site, &explanation.site_source)),
        ("found by", found_by),
        ("deployment", deployment.filter(|_| !is_plain(explanation))),
        ("decision", explanation.decision.clone()),
        ("rule", redirect),
        ("location", location.clone()),
        ("headers", header_lines(&explanation.headers_lines)),
        ("file", explanation.file.clone()),
        ("of deployment", explanation.file_deployment.clone()),
        ("encoding", explanation.encoding.clone()),
        ("body", body),
        ("cache-control", explanation.cache_control.as_ref().map(|said| format!("{said} (for visitors)"))),
    ]
}

fn route(explanation: &Explanation) -> String {
    let project = explanation.project.as_ref().map(|project| format!(" of the project {project}"));
    let moved = explanation.moved.and_then(|moved| Timestamp::from_second(moved).ok());
    let moved = moved.map(|moved| format!(", as it is since {moved}"));
    format!("the route{}{}", project.unwrap_or_default(), moved.unwrap_or_default())
}

fn header_lines(lines: &[u32]) -> Option<String> {
    let numbers: Vec<_> = lines.iter().map(ToString::to_string).collect();
    match &numbers[..] {
        [] => None,
        [line] => Some(format!("the rule in line {line} of `_headers`")),
        [lines @ .., last] => {
            Some(format!("the rules in lines {} and {last} of `_headers`", lines.join(", ")))
        }
    }
}

/// Where a body came from.
fn from(source: &str) -> String {
    match source {
        "memory" => "from memory".to_owned(),
        "store" => "from the store".to_owned(),
        other => format!("from {other}"),
    }
}

/// Where it was known from.
fn known(source: &str) -> String {
    match source {
        "memory" => "known".to_owned(),
        "stale" => "known from a moment ago, and asked for anew".to_owned(),
        "store" => "asked of the store".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(status: u16, header: &str) -> Explained {
        Explained {
            url: "http://blog.localhost/".to_owned(),
            status,
            location: (300..400).contains(&status).then(|| "/new".to_owned()),
            explanation: Explanation::read(header.as_bytes()).unwrap(),
        }
    }

    fn plain(explained: &Explained) -> String {
        let lines = lines(explained).join("\n");
        [BOLD, DIM, PLAIN].iter().fold(lines, |text, colour| text.replace(colour, ""))
    }

    #[test]
    fn a_file_is_explained_from_the_host_to_the_body() {
        let header = r#"site="blog", found-by=route, project="blog", moved=@1795219200, deployment="01m9", decision=file, headers-lines=(1 4 7), file="a.html", encoding=br, site-source=memory, manifest-source=store, source=store, store-ms=12.34, cache-control="public, max-age=0, must-revalidate""#;
        let expected = "\
200 OK: the file `a.html` of deployment 01m9, compressed with br, from the store
  site           blog (known)
  found by       the route of the project blog, as it is since 2026-11-21T00:00:00Z
  deployment     01m9 (asked of the store)
  decision       file
  headers        the rules in lines 1, 4 and 7 of `_headers`
  file           a.html
  encoding       br
  body           from the store, after 12.3 ms
  cache-control  public, max-age=0, must-revalidate (for visitors)";
        assert_eq!(plain(&explained(200, header)), expected);
    }

    #[test]
    fn every_decision_has_a_sentence() {
        for (status, header, expected) in [
            (
                301,
                "decision=redirect, redirect-line=3",
                "301 Moved Permanently: the rule in line 3 leads to /new",
            ),
            (308, "decision=address", "308 Permanent Redirect: the page has one address, which is /new"),
            (
                200,
                r#"decision=rewrite, redirect-line=3, file="i.html""#,
                "200 OK: the rule in line 3 shows the file `i.html`",
            ),
            (
                410,
                "decision=rewrite, redirect-line=3",
                "410 Gone: the rule in line 3 answers with the status alone",
            ),
            (
                200,
                r#"decision=grace, file="a.js", deployment="2", file-deployment="1""#,
                "200 OK: nothing is there any more; pages that are still open get the file `a.js` of the earlier deployment 1",
            ),
            (
                200,
                r#"decision=front-page, file="i.html""#,
                "200 OK: nothing is there; the site's front page stands in, the file `i.html`",
            ),
            (
                404,
                r#"decision=not-found-page, file="404.html""#,
                "404 Not Found: nothing is there; the site's own page says so, the file `404.html`",
            ),
            (
                404,
                "decision=missing",
                "404 Not Found: nothing is there, and the site has no page that says so",
            ),
            (404, "decision=no-site", "404 Not Found: no site is served at the host"),
            (
                503,
                "decision=unfinished",
                "503 Service Unavailable: a build is on its way, or has failed; nothing is published yet",
            ),
            (401, "decision=password", "401 Unauthorized: the visitor has to give the site's password first"),
            (502, r#"decision=fault, fault="no manifest""#, "502 Bad Gateway: no manifest"),
            (
                200,
                r#"decision=file, found-by=prefix, deployment="docs", file="a.txt""#,
                "200 OK: the file `a.txt` of the prefix docs",
            ),
            (200, "decision=later", "200 OK: it was decided by `later`"),
            (204, "", "204 No Content: nothing had to be decided"),
        ] {
            let text = plain(&explained(status, header));
            assert_eq!(text.lines().next(), Some(expected), "{header}");
        }
    }

    #[test]
    fn a_terminal_obeys_nothing_of_it() {
        let header = "file=%\"%1b[2Ja%0d%0a%1b]0;title%07b%c2%9b\", decision=file";
        let text = plain(&explained(200, header));
        assert!(text.lines().all(|line| !line.chars().any(char::is_control)), "{text:?}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
