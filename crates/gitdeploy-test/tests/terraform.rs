//! What stands in `terraform/` is what the programs read, write and say: settings, prefixes of keys, fields of log
//! lines. And the walkthrough prints its steps without running any.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gitdeploy_test::binary::workspace;

#[test]
fn tasks_are_given_only_settings_that_are_documented() {
    let page = fs::read_to_string(workspace().join("docs/settings.md")).unwrap();
    let given = words(&configuration(), "GITDEPLOY_", |letter| letter.is_ascii_uppercase() || letter == '_');
    assert!(given.contains("GITDEPLOY_STORE_BUCKET"), "{given:?}");
    // How such names begin is said where the operator's own are judged.
    let given = given.iter().filter(|name| !name.ends_with('_'));
    let unknown: Vec<_> = given.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(unknown.is_empty(), "docs/settings.md does not name {unknown:?}");
}

#[test]
fn policies_speak_of_prefixes_that_keys_have() {
    let keys = fs::read_to_string(workspace().join("crates/gitdeploy-core/src/keys.rs")).unwrap();
    let prefixes = words(&configuration(), "__", |letter| letter.is_ascii_lowercase());
    assert!(prefixes.contains("__outputs"), "{prefixes:?}");
    let unknown: Vec<_> = prefixes.iter().filter(|prefix| !keys.contains(&format!("\"{prefix}/"))).collect();
    assert!(unknown.is_empty(), "no key begins with {unknown:?}");
}

#[test]
fn metrics_are_made_of_fields_that_are_logged() {
    let filters = fs::read_to_string(workspace().join("terraform/modules/observability/main.tf")).unwrap();
    let fields: BTreeSet<_> = filters
        .split("$.fields.")
        .skip(1)
        .map(|rest| rest.trim_start_matches("['"))
        .map(|rest| rest.split(|letter: char| !letter.is_ascii_lowercase() && !"._".contains(letter)))
        .map(|mut parts| parts.next().unwrap())
        .collect();
    assert_eq!(fields, ["deployment.state", "failure.code", "waited_ms"].into());
    let program = text(&workspace().join("upload-service/src"), "rs");
    let unsaid: Vec<_> = fields.iter().filter(|field| !program.contains(&format!("{field} = "))).collect();
    assert!(unsaid.is_empty(), "the upload service logs no {unsaid:?}");

    let codes = fs::read_to_string(workspace().join("crates/gitdeploy-core/src/failure.rs")).unwrap();
    let counted =
        filters.split("['failure.code'] = \\\"").skip(1).map(|rest| rest.split('*').next().unwrap());
    for family in counted {
        assert!(
            codes.contains(&format!("= \"{family}")),
            "no failure has a code that begins with `{family}`"
        );
    }
}

#[test]
fn the_walkthrough_prints_every_step_and_runs_none() {
    let printed = Command::new("/bin/bash")
        .arg(workspace().join("docs/aws-walkthrough"))
        .args(["--source", "https://github.com/owner/name", "sites.example.org", "Z0123456789ABC"])
        .output()
        .unwrap();
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let steps = text.lines().filter(|line| line.starts_with("── ")).count();
    assert_eq!(steps, text.matches("\n   expect: ").count(), "{text}");
    for said in ["https://api.sites.example.org", "--id Z0123456789ABC", "cancel", "rollback", "destroy"] {
        assert!(text.contains(said), "no step says `{said}`");
    }
}

/// All of the configuration without its tests and comments.
fn configuration() -> String {
    let text = text(&workspace().join("terraform"), "tf");
    text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| [line, "\n"]).collect()
}

/// Every word in `text` that starts like this and goes on with such letters.
fn words(text: &str, start: &str, goes_on: impl Fn(char) -> bool) -> BTreeSet<String> {
    let ends = |rest: &str| rest.find(|letter| !goes_on(letter)).unwrap_or(rest.len());
    let found = text.match_indices(start).map(|(place, _)| &text[place..]);
    found.map(|rest| rest[..start.len() + ends(&rest[start.len()..])].to_owned()).collect()
}

/// All files below a directory that end so, one after the other.
fn text(directory: &Path, extension: &str) -> String {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let of = |path: &PathBuf| match path {
        path if path.is_dir() && !path.ends_with(".terraform") => text(path, extension),
        path if path.extension().is_some_and(|found| found == extension) => fs::read_to_string(path).unwrap(),
        _ => String::new(),
    };
    entries.iter().map(of).collect()
}
