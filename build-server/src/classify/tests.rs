//! Every signature finds its messages, whatever stands around them.

use gitdeploy_core::{Failure, FailureCode, Phase};

use super::signatures::SIGNATURES;
use super::{explain, find};

/// Every signature with each of its messages.
fn messages() -> impl Iterator<Item = (&'static str, &'static str)> {
    SIGNATURES.iter().flat_map(|signature| {
        signature.messages.iter().map(|message| (signature.name.as_str(), message.as_str()))
    })
}

#[test]
fn every_signature_finds_its_messages() {
    assert!(SIGNATURES.len() >= 40);
    for signature in SIGNATURES.iter() {
        assert!(!signature.messages.is_empty(), "{} has no message", signature.name);
    }
    for (name, line) in messages() {
        let found = |line: &str| find([line]).map(|(signature, _)| signature.name.as_str());
        assert_eq!(found(line), Some(name), "{line}");
        let coloured = line.replace(' ', "\u{1b}[39m \u{1b}[2m");
        assert_eq!(found(&format!("\u{1b}[31m\u{1b}[1m{coloured}\u{1b}[0m")), Some(name), "{line}");
    }
}

#[test]
fn names_are_told_once() {
    let names: std::collections::BTreeSet<_> = SIGNATURES.iter().map(|signature| &signature.name).collect();
    assert_eq!(names.len(), SIGNATURES.len());
}

#[test]
fn hints_are_whole_sentences_without_holes() {
    let failure = || Failure::new(FailureCode::BuildExit, "the build command exited with 1");
    for (name, line) in messages() {
        let explained = explain(failure(), Phase::Build, [line]);
        for text in [explained.hint.unwrap(), explained.fix.unwrap()] {
            assert!(!text.contains('$') || text.contains("${NPM_TOKEN}"), "{name}: {text}");
            assert!(!text.contains("``") && !text.ends_with(['.', ' ', ':']), "{name}: {text}");
        }
        assert_eq!(explained.cause, failure().cause);
    }
}

#[test]
fn what_is_special_counts_before_what_is_general_and_the_first_line_before_later_ones() {
    let lines = [
        "npm error code ETIMEDOUT",
        "npm error code ERESOLVE",
        "Could not resolve \"./A\" from \"one.js\"",
        "Could not resolve \"./B\" from \"two.js\"",
    ];
    let (signature, line) = find(lines).unwrap();
    assert_eq!((signature.name.as_str(), line.as_str()), ("npm.eresolve", lines[1]));
    let (signature, line) = find(lines[2..].iter().copied()).unwrap();
    assert_eq!((signature.name.as_str(), line.as_str()), ("vite.file", lines[2]));
}

#[test]
fn a_signature_may_know_the_code_better() {
    let explained = |phase, line: &str| {
        explain(Failure::new(FailureCode::InstallExit, "it exited with 1"), phase, [line]).code
    };
    let lockfile = "error: lockfile had changes, but lockfile is frozen";
    assert_eq!(explained(Phase::Install, lockfile), FailureCode::InstallLockfile);
    let heap = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
    assert_eq!(explained(Phase::Install, heap), FailureCode::InstallMemory);
    assert_eq!(explained(Phase::Build, heap), FailureCode::BuildMemory);
    assert_eq!(explained(Phase::Install, "EADDRINUSE"), FailureCode::InstallExit);
}

#[test]
fn what_is_no_failure_is_not_explained() {
    let failure = Failure::new(FailureCode::BuildExit, "the build command exited with 1").fix("read the log");
    for line in [
        "",
        "vite v7.3.8 building client environment for production...",
        "✓ 34 modules transformed.",
        "added 68 packages in 2s",
        "dist/assets/index-B2jQ8nEr.js   190.51 kB │ gzip: 60.02 kB",
        "npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory.",
        "INFO    -  Documentation built in 0.24 seconds",
        "build succeeded, 2 warnings.",
    ] {
        assert_eq!(explain(failure.clone(), Phase::Build, [line]), failure, "{line}");
    }
}

#[test]
fn a_long_quote_is_cut() {
    let line = format!("Could not resolve \"./{}\" from \"main.js\"", "x".repeat(10_000));
    let explained = explain(Failure::new(FailureCode::BuildExit, "it failed"), Phase::Build, [line.as_str()]);
    assert!(explained.hint.unwrap().len() < 400);
}
