//! What builds keep for the builds after them, with a real npm over a store in a directory.

use std::path::PathBuf;

use gitdeploy_core::Phase;
use gitdeploy_core::event::PhaseState;
use gitdeploy_test::git::Repository;

use crate::harness::{Builder, Built};
use crate::toolchains::NETWORK;

const PACKAGE: &str = r#"{
  "name": "cached", "private": true,
  "dependencies": { "ms": "2.1.3" },
  "scripts": { "build": "node build.js" }
}"#;

const LOCKFILE: &str = r#"{
  "name": "cached", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": { "name": "cached", "dependencies": { "ms": "2.1.3" } },
    "node_modules/ms": {
      "version": "2.1.3",
      "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="
    }
  }
}"#;

/// Writes a page that says what the installed package makes of a day.
const BUILD: &str = "const fs = require('fs'); fs.mkdirSync('dist');\n\
    fs.writeFileSync('dist/index.html', String(require('ms')('1d')));\n";

fn npm() -> Repository {
    Repository::new()
        .file("package.json", PACKAGE)
        .file("package-lock.json", LOCKFILE)
        .file("build.js", BUILD)
        .commit("Add a site")
}

async fn build(builder: &Builder, repository: &Repository, vars: &[(&str, &str)]) -> Built {
    builder.git.add("site", repository);
    build_again(builder, vars).await
}

/// Builds the repository that was built before.
async fn build_again(builder: &Builder, vars: &[(&str, &str)]) -> Built {
    let network = NETWORK.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let program = network.fold(builder.program("site"), |program, (name, value)| program.var(name, value));
    let program = vars.iter().fold(program, |program, (name, value)| program.var(name, value));
    let built = Built::of(program.start()).await;
    built.assert_ready();
    if !vars.iter().any(|(name, _)| *name == "DEPLOYMENT_ID") {
        assert_eq!(builder.published("index.html").unwrap(), "86400000", "{:#?}", built.events);
    }
    built
}

impl Built {
    /// What the builder said of the cache in a phase.
    fn cache_lines(&self) -> Vec<&str> {
        self.lines().into_iter().filter(|line| line.starts_with("cache: ")).collect()
    }

    fn has_line(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    fn phases(&self) -> Vec<Phase> {
        let phases = self.events.iter().filter_map(|event| match &event.body {
            gitdeploy_core::Body::Phase(change) if change.state == PhaseState::Finished => Some(change.phase),
            _ => None,
        });
        phases.collect()
    }
}

impl Builder {
    /// The objects of the cache at a level, by the end of their names.
    fn kept(&self, level: &str, end: &str) -> Vec<PathBuf> {
        let directory = self.object(&format!("__cache/site/{level}"));
        let entries = directory.read_dir().into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_str().unwrap().ends_with(end)).collect()
    }
}

#[tokio::test]
async fn a_second_build_restores_what_npm_has_installed() {
    let builder = Builder::new().await;
    let first = build(&builder, &npm(), &[]).await;
    assert!(first.has_line("$ npm ci"), "{:#?}", first.lines());
    assert!(first.phases().contains(&Phase::Save));
    assert!(first.decision("cache").unwrap().value.contains("modules-npm-node"));

    let second = build(&builder, &npm(), &[]).await;
    let lines = second.cache_lines();
    assert!(lines.iter().any(|line| line.contains("the installed packages (exact)")), "{lines:?}");
    assert!(second.has_line("$ npm install --no-audit --no-fund"), "{:#?}", second.lines());
    assert!(!second.phases().contains(&Phase::Save), "{:?}", second.phases());
    assert_eq!(second.notices(), first.notices());
}

#[tokio::test]
async fn a_changed_package_falls_back_to_what_npm_has_downloaded() {
    let builder = Builder::new().await;
    build(&builder, &npm(), &[]).await;
    let changed = npm().file("package.json", PACKAGE.replace("private", "license\": \"MIT\", \"private"));
    let second = build(&builder, &changed.commit("Change the package"), &[]).await;
    assert!(second.has_line("the downloads of the package manager (exact)"), "{:#?}", second.lines());
    assert!(second.has_line("$ npm ci"), "{:#?}", second.lines());

    let other = LOCKFILE.replace("\"requires\": true,", "\"requires\": true, ");
    let third = build(&builder, &npm().file("package-lock.json", other).commit("Lock"), &[]).await;
    assert!(third.has_line("(of another lockfile)"), "{:#?}", third.lines());
}

#[tokio::test]
async fn without_the_cache_nothing_is_restored_or_kept() {
    let builder = Builder::new().await;
    let built = build(&builder, &npm(), &[("GITDEPLOY_CACHE", "off")]).await;
    assert!(built.decision("cache").is_none());
    assert!(!built.phases().contains(&Phase::Restore));
    assert!(!builder.object("__cache").exists());

    build(&builder, &npm(), &[("GITDEPLOY_CACHE", "write")]).await;
    let afresh = build(&builder, &npm(), &[("GITDEPLOY_CACHE", "write")]).await;
    assert!(afresh.has_line("$ npm ci") && !afresh.phases().contains(&Phase::Restore));
    assert!(!builder.kept("production", ".tar.zst").is_empty());
}

#[tokio::test]
async fn what_was_changed_in_the_store_is_a_notice_and_then_replaced() {
    let builder = Builder::new().await;
    build(&builder, &npm(), &[]).await;
    for (damage, expected) in [("torn", "not what was saved"), ("other", "not what was saved")] {
        for archive in builder.kept("production", ".tar.zst") {
            let mut bytes = std::fs::read(&archive).unwrap();
            let half = bytes.len() / 2;
            match damage {
                "torn" => bytes.truncate(half),
                _ => bytes[half] ^= 1,
            }
            std::fs::write(&archive, bytes).unwrap();
        }
        let built = build(&builder, &npm(), &[]).await;
        assert!(built.notices().iter().any(|notice| notice.contains(expected)), "{:#?}", built.notices());
        assert!(built.has_line("$ npm ci"), "{:#?}", built.lines());
        let healed = build(&builder, &npm(), &[]).await;
        assert!(healed.has_line("the installed packages (exact)"), "{:#?}", healed.lines());
    }
    for entry in builder.kept("production", ".json") {
        std::fs::write(entry, "{}").unwrap();
    }
    let built = build(&builder, &npm(), &[]).await;
    assert!(built.notices().iter().any(|notice| notice.contains("cannot be read")), "{:#?}", built.notices());
}

#[tokio::test]
async fn a_preview_reads_what_production_keeps_and_keeps_it_for_previews() {
    let builder = Builder::new().await;
    build(&builder, &npm(), &[("GITDEPLOY_CACHE_LEVEL", "preview")]).await;
    let production = build(&builder, &npm(), &[]).await;
    assert!(production.cache_lines().iter().all(|line| !line.contains("exact")), "{:?}", production.lines());
    std::fs::remove_dir_all(builder.object("__cache/site/preview")).unwrap();
    let proposed = [("GITDEPLOY_CACHE_LEVEL", "preview"), ("GITDEPLOY_CACHE", "read")];
    let stranger = build(&builder, &npm(), &proposed).await;
    assert!(stranger.has_line("(exact, kept for production)"), "{:#?}", stranger.lines());
    assert!(builder.kept("preview", "").is_empty());
}

#[tokio::test]
async fn two_builds_that_keep_the_same_leave_one_that_can_be_used() {
    let builder = Builder::new().await;
    builder.git.add("site", &npm());
    let ids = ["1m7wywrav60000000000", "1m7wywrav60000000001"].map(|id| [("DEPLOYMENT_ID", id)]);
    let (one, two) = tokio::join!(build_again(&builder, &ids[0]), build_again(&builder, &ids[1]));
    assert!(one.phases().contains(&Phase::Save) && two.phases().contains(&Phase::Save));
    let third = build(&builder, &npm(), &[]).await;
    assert!(third.has_line("the installed packages (exact)"), "{:#?}", third.lines());
}
