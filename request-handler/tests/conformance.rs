//! Every case of the conformance suite, against the proxy on a real socket. Where the suite is not beside the checkout,
//! `serving.rs` has our own cases.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[path = "conformance/compare.rs"]
mod compare;
#[path = "conformance/exchange.rs"]
mod exchange;
#[path = "conformance/sites.rs"]
mod sites;
#[expect(dead_code, reason = "other tests publish sites without rules")]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use sites::Sites;

/// Why a row is passed over, and how many rows are for each reason. A row that is passed over for another one, or
/// another number of them, is a failure.
const SKIPPED: &[(&str, usize)] = &[
    // Names that no file of a site can have.
    ("files", 2),
    // Files that are hidden by a setting, which sites do not have.
    ("hide", 4),
    // A host without a dot is no site's.
    ("host", 1),
    // No answer has one.
    ("no last-modified", 5),
];

/// A case: a site, a request, and the answer that is expected.
#[derive(Deserialize)]
struct Row {
    id: String,
    name: String,
    files: BTreeMap<String, String>,
    redirects: Option<String>,
    headers: Option<String>,
    #[serde(default)]
    settings: gitdeploy_core::rules::Serve,
    request: Request,
    expect: Value,
    geo_country: Option<String>,
    hosts: Option<Value>,
    hide: Option<Value>,
    #[serde(default)]
    encodings: Vec<String>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[tokio::test]
async fn every_case_is_answered_as_it_says() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/cases");
    let Ok(entries) = std::fs::read_dir(&directory) else {
        println!("the conformance suite is not at {}: nothing is compared", directory.display());
        return;
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut failed, mut passed) = (String::new(), 0);
    let mut skipped = BTreeMap::<_, usize>::new();
    for file in files {
        let suite = file.file_stem().unwrap().to_string_lossy().into_owned();
        let rows: Vec<Row> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let mut sites = Sites::default();
        for row in rows {
            match run(&mut sites, &row).await {
                Verdict::Passed => passed += 1,
                Verdict::Skipped(reason) => *skipped.entry(reason).or_default() += 1,
                Verdict::Failed(why) => {
                    let Row { id, name, request: Request { method, path, headers }, .. } = &row;
                    writeln!(failed, "{suite} {id} | {name} | {method} {path} {headers:?}\n    {why}")
                        .unwrap();
                }
            }
        }
    }
    println!("{passed} passed, skipped: {skipped:?}");
    assert!(failed.is_empty(), "{} failed:\n{failed}", failed.matches("\n    ").count());
    assert_eq!(skipped.into_iter().collect::<Vec<_>>(), SKIPPED, "rows are passed over");
}

enum Verdict {
    Passed,
    Skipped(&'static str),
    Failed(String),
}

async fn run(sites: &mut Sites, row: &Row) -> Verdict {
    if let Some(reason) = unsupported(row) {
        return Verdict::Skipped(reason);
    }
    let site = sites.of(row).await;
    let mut headers = Vec::new();
    for (name, value) in &row.request.headers {
        if name.eq_ignore_ascii_case("host") {
            continue;
        }
        let mut value = value.clone();
        for known in ["etag", "last-modified"] {
            let place = format!("{{{{{known}}}}}");
            if !value.contains(&place) {
                continue;
            }
            let plain = exchange::send(site, "GET", &row.request.path, &[]).await;
            let Some(found) = plain.ok().and_then(|answer| answer.headers.get(known).cloned()) else {
                return Verdict::Skipped(if known == "etag" { "no etag" } else { "no last-modified" });
            };
            value = value.replace(&place, &found).replace("W/W/", "W/");
        }
        headers.push((name.as_str(), value));
    }
    headers.extend(row.geo_country.clone().map(|country| (sites::COUNTRY, country)));
    match exchange::send(site, &row.request.method, &row.request.path, &headers).await {
        Err(why) => Verdict::Failed(why),
        Ok(answer) => match compare::judge(&row.expect, &answer) {
            differences if differences.is_empty() => Verdict::Passed,
            differences => Verdict::Failed(differences.join("; ")),
        },
    }
}

fn unsupported(row: &Row) -> Option<&'static str> {
    let is_host =
        |(name, value): (&String, &String)| name.eq_ignore_ascii_case("host") && !value.contains('.');
    let is_control = |byte: u8| byte <= b' ' || byte == 0x7f;
    if row.hosts.is_some() {
        Some("hosts")
    } else if row.request.headers.iter().any(is_host) {
        Some("host")
    } else if row.hide.is_some() {
        Some("hide")
    } else if format!("{}{}", row.request.method, row.request.path).bytes().any(is_control) {
        Some("target")
    } else if row.files.keys().any(|path| sites::path(path).is_none()) {
        Some("files")
    } else {
        None
    }
}
