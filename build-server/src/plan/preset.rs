//! The site generators that are known, from `presets.toml`.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::evidence::Evidence;

/// What is known of a site generator.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    /// Its name in data and documents.
    #[cfg_attr(not(test), expect(dead_code, reason = "what people read is the name"))]
    pub(crate) slug: String,
    /// Its name for people.
    pub(crate) name: String,
    pub(crate) runtime: Runtime,
    /// The highest counts.
    pub(super) priority: u32,
    /// It is used where of each group one holds…
    pub(super) detect: Vec<Vec<Evidence>>,
    /// …and none of these does.
    #[serde(default)]
    pub(super) none: Vec<Evidence>,
    /// Directories in which its sources may be; `{dir}` is the first of them that has the marker.
    #[serde(default)]
    pub(super) directories: Vec<String>,
    #[serde(default)]
    pub(super) marker: String,
    /// What the `build` script must run; another script is not the one that makes the site.
    pub(super) script: Option<String>,
    /// The build command where there is no `build` script.
    pub(super) build: Option<String>,
    /// Its output directory, relative to the project's, unless one of `outputs` says otherwise.
    pub(super) output: String,
    #[serde(default)]
    pub(super) outputs: Vec<OutputRule>,
    /// What is installed where nothing says what to install.
    pub(super) package: Option<String>,
    /// How the names of variables begin that are meant to be in the site.
    pub(crate) public_env_prefix: Option<String>,
    /// What `CI` is, where `1` would make an error of every warning.
    pub(crate) ci: Option<String>,
    /// Directories that make the next build faster, relative to the project's.
    #[serde(default)]
    pub(crate) cache_dirs: Vec<String>,
    /// Files whose names change with their content, relative to the output directory.
    #[serde(default)]
    pub(crate) immutable_globs: Vec<String>,
    /// It looks at the history where one of these holds.
    #[serde(default)]
    pub(super) history: Vec<Evidence>,
    /// When what it makes is files, and not a server.
    pub(super) files: Option<StaticRule>,
    /// Why it cannot be built here.
    pub(crate) unbuildable: Option<String>,
}

/// Another output directory than the usual one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputRule {
    /// A file with `pattern`…
    pub(super) file: Option<String>,
    #[serde(default, deserialize_with = "pattern")]
    pub(super) pattern: Option<Regex>,
    /// …or a `build` script with this pattern…
    #[serde(default, deserialize_with = "pattern")]
    pub(super) script: Option<Regex>,
    /// …or a package that is needed, of a major version below or from some number on.
    pub(super) dependency: Option<String>,
    pub(super) below: Option<u64>,
    pub(super) from: Option<u64>,
    /// The directory, with `{1}` for the first group of the pattern.
    #[serde(default = "first_group")]
    pub(super) output: String,
    /// The build command that goes with it.
    pub(super) build: Option<String>,
}

/// What makes a generator write files instead of a server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticRule {
    /// One of these holds…
    #[serde(default)]
    pub(super) needs: Vec<Evidence>,
    /// …and none of these.
    #[serde(default)]
    pub(super) refuses: Vec<Evidence>,
    /// The files that may hold the configuration; the first is the one to make.
    pub(super) config: Vec<String>,
    /// What to change, with `{config}` for the file.
    pub(super) fix: String,
}

/// What runs a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Runtime {
    Node,
    Python,
    Ruby,
    Rust,
    Hugo,
    Zola,
    Mdbook,
    Cobalt,
    Php,
    Deno,
    Quarto,
    Flutter,
    Dotnet,
    /// Nothing: the files are the site.
    None,
}

#[derive(Deserialize)]
struct Table {
    preset: Vec<Preset>,
}

/// Every preset, the highest priority first.
pub(crate) static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("presets.toml")).expect("the tests read it too");
    let mut presets = table.preset;
    presets.sort_by_key(|preset| std::cmp::Reverse(preset.priority));
    presets
});

fn first_group() -> String {
    "{1}".to_owned()
}

fn pattern<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Regex::new(&text).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    #[test]
    fn every_preset_is_whole() {
        assert_eq!(PRESETS.len(), 95);
        let slugs: BTreeSet<_> = PRESETS.iter().map(|preset| &preset.slug).collect();
        assert_eq!(slugs.len(), PRESETS.len(), "a slug stands twice");
        for preset in PRESETS.iter() {
            let slug = &preset.slug;
            assert!(
                !preset.detect.is_empty() && preset.detect.iter().all(|group| !group.is_empty()),
                "{slug}"
            );
            let by_script = preset.runtime == Runtime::Node || preset.runtime == Runtime::None;
            assert!(
                preset.build.is_some() || by_script || preset.unbuildable.is_some(),
                "{slug} has no command"
            );
            for glob in &preset.immutable_globs {
                globset::Glob::new(glob).unwrap();
            }
            for kept in &preset.cache_dirs {
                let is_output = Path::new(&preset.output).starts_with(kept);
                assert!(!is_output, "{slug}: what is published is made by this build, not kept from another");
            }
            for rule in &preset.outputs {
                let kinds = [rule.file.is_some(), rule.script.is_some(), rule.dependency.is_some()];
                assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1, "{slug}: a rule of one kind");
                assert_eq!(rule.file.is_some(), rule.pattern.is_some(), "{slug}: a file goes with a pattern");
                let groups = rule.pattern.as_ref().or(rule.script.as_ref()).map_or(1, Regex::captures_len);
                assert!(rule.output.contains("{1}") <= (groups > 1), "{slug}: `{{1}}` is nothing");
            }
            for text in [Some(&preset.output), preset.build.as_ref()].into_iter().flatten() {
                assert!(
                    !text.contains("{dir}") || !preset.directories.is_empty(),
                    "{slug}: `{{dir}}` is nothing"
                );
            }
            assert!(preset.files.as_ref().is_none_or(|files| {
                !files.config.is_empty() && !files.needs.is_empty() | !files.refuses.is_empty()
            }));
        }
    }

    /// A preset cannot be reached where another of at least its priority holds whenever it does.
    #[test]
    fn every_preset_can_be_reached() {
        for preset in PRESETS.iter() {
            for other in PRESETS.iter().filter(|other| other.priority >= preset.priority) {
                if std::ptr::eq(preset, other) || !other.none.is_empty() {
                    continue;
                }
                let implied = other.detect.iter().all(|group| {
                    preset.detect.iter().any(|ours| ours.iter().all(|evidence| group.contains(evidence)))
                });
                assert!(!implied, "{} is hidden by {}", preset.slug, other.slug);
            }
        }
    }

    /// Two presets of one priority that are told by the same thing alone are not told apart.
    #[test]
    fn no_two_presets_are_the_same() {
        let mut seen = BTreeMap::new();
        for preset in PRESETS.iter().filter(|preset| preset.detect.len() == 1) {
            for evidence in &preset.detect[0] {
                let other = seen.insert((preset.priority, format!("{evidence}")), &preset.slug);
                assert_eq!(other, None, "{}: `{evidence}`", preset.slug);
            }
        }
    }

    /// The collected facts, where they are beside the checkout.
    #[test]
    fn the_facts_are_those_that_were_collected() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/frameworks.json");
        let Ok(json) = std::fs::read(file) else { return };
        let facts: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let facts = facts["frameworks"].as_array().unwrap();
        assert_eq!(facts.len(), PRESETS.len());
        for fact in facts {
            let slug = fact["slug"].as_str().unwrap();
            let preset = PRESETS.iter().find(|preset| preset.slug == slug).expect(slug);
            assert_eq!(u64::from(preset.priority), fact["priority"].as_u64().unwrap(), "{slug}");
            let output = fact["output_dir"].as_str().unwrap();
            assert!(preset.output == output || preset.output.contains("{dir}"), "{slug}: {}", preset.output);
            // Where nothing was collected, the documents of the generator may say more.
            if let Some(prefix) = fact["public_env_prefix"].as_str() {
                assert_eq!(preset.public_env_prefix.as_deref(), Some(prefix), "{slug}");
            }
        }
    }
}
