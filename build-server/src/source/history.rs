//! The history of a clone, which is fetched only where something in the repository shows dates or authors from it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use git2::Repository;
use gitdeploy_core::Phase;
use gitdeploy_core::event::{Decision, Outcome};
use regex::Regex;

use super::address::Address;
use super::session::Session;
use super::upstream::Upstream;
use crate::stop::Stop;

/// How much of a file is looked at, in bytes.
const MOST: u64 = 256 << 10;

/// Files by how their names begin, what in them asks for the history, and who asks.
const MARKS: &[(&[&str], &str, &str)] = &[
    (&["docusaurus.config."], r"showLastUpdate(Time|Author)\s*:\s*true", "Docusaurus"),
    (&["astro.config."], r"lastUpdated\s*:\s*true", "Starlight"),
    (
        &[".vitepress/config.", "docs/.vitepress/config.", "rspress.config."],
        r"lastUpdated\s*:\s*(true|\{)",
        "the documentation's theme",
    ),
    (
        &[".vuepress/config.", "docs/.vuepress/config."],
        r"plugin-git|gitPlugin|lastUpdated\s*:\s*true",
        "VuePress",
    ),
    (&["package.json"], r#""nextra"\s*:"#, "Nextra"),
    (&[".eleventy.js", "eleventy.config."], r"(?i)git (last modified|created)", "Eleventy"),
    (
        &[
            "hugo.",
            "config.toml",
            "config.yaml",
            "config.yml",
            "config.json",
            "config/_default/hugo.",
            "config/_default/config.",
        ],
        r#"(?im)^\s*"?enableGitInfo"?\s*[=:]\s*true"#,
        "Hugo",
    ),
    (&["mkdocs.y"], r"git-(revision-date|authors|committers)", "a plugin of MkDocs"),
];

/// How to fetch the rest of a clone.
#[derive(Debug)]
pub(crate) struct History {
    pub(super) session: Session,
    pub(super) address: Address,
    pub(super) refspecs: Vec<String>,
    pub(super) target: PathBuf,
}

/// Who asks for the history of what is built in `root`, if anybody does.
pub(crate) fn wanted(root: &Path) -> Option<Decision> {
    MARKS.iter().find_map(|(names, pattern, who)| {
        let pattern = Regex::new(pattern).expect("a pattern of ours is one");
        let file = names
            .iter()
            .flat_map(|name| beginning(root, name))
            .find(|file| read(&root.join(file)).is_some_and(|text| pattern.is_match(&text)))?;
        Some(Decision {
            name: "history".to_owned(),
            value: "all of it".to_owned(),
            because: format!("{who} shows when pages were changed, or by whom"),
            file: Some(file),
        })
    })
}

/// The files whose path begins so.
fn beginning(root: &Path, start: &str) -> Vec<String> {
    let (folder, start) = start.rsplit_once('/').map_or(("", start), |(folder, start)| (folder, start));
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<_> = names.filter(|name| name.starts_with(start)).collect();
    found.sort();
    found
        .iter()
        .map(|name| if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") })
        .collect()
}

/// The start of a file that is one, and no link.
fn read(path: &Path) -> Option<String> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

impl History {
    /// Fetches it, before any command of the author's has run. That it cannot be had ends no build.
    pub(crate) async fn fetch(self) -> Result<(), Stop> {
        let recorder = self.session.recorder.clone();
        let (left, cancel) = (self.session.web.budget.left(), self.session.web.budget.cancel().clone());
        recorder.say(Phase::Clone, "fetching the history".to_owned());
        let fetching = tokio::task::spawn_blocking(move || {
            let repository = Repository::open(&self.target).map_err(|error| error.message().to_owned());
            let fetched = repository.map(|repository| {
                if !repository.is_shallow() {
                    return Ok(());
                }
                Upstream::new(&self.session, &self.address)?.deepen(&repository, &self.refspecs)
            });
            fetched.map(|done| done.map_err(Box::new))
        });
        let why = tokio::select! {
            done = fetching => match done {
                Ok(Ok(Ok(()))) => return Ok(()),
                Ok(Ok(Err(stop))) if stop.outcome == Outcome::Canceled => return Err(*stop),
                Ok(Ok(Err(stop))) => stop.failure.cause,
                Ok(Err(error)) => error,
                Err(error) => error.to_string(),
            },
            () = cancel.cancelled() => return Err(Stop::canceled()),
            () = tokio::time::sleep(left) => "it takes too long".to_owned(),
        };
        recorder.notice(format!(
            "the history of the repository cannot be fetched: {why}; dates of pages are those of the last commit"
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_wanted_where_a_configuration_says_so() {
        let check = |path: &str, text: &str, expected: bool| {
            let root = tempfile::tempdir().unwrap();
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
            let decision = wanted(root.path());
            assert_eq!(decision.is_some(), expected, "{path} {text}: {decision:?}");
            if let Some(decision) = decision {
                assert_eq!(decision.file.as_deref(), Some(path));
            }
        };
        check("docusaurus.config.js", "docs: { showLastUpdateTime: true }", true);
        check("docusaurus.config.ts", "docs: { showLastUpdateTime: false }", false);
        check("docs/.vitepress/config.mts", "export default { lastUpdated:true }", true);
        check("astro.config.mjs", "starlight({ lastUpdated: true })", true);
        check("rspress.config.ts", "themeConfig: { lastUpdated: true }", true);
        check("package.json", r#"{"dependencies": {"nextra": "4"}}"#, true);
        check("package.json", r#"{"dependencies": {"next": "15"}}"#, false);
        check("hugo.toml", "title = 'x'\nenableGitInfo = true\n", true);
        check("config.yaml", "enableGitInfo: true\n", true);
        check("hugo.toml", "# enableGitInfo = true\n", false);
        check("mkdocs.yml", "plugins:\n  - git-revision-date-localized\n", true);
        check("eleventy.config.js", "eleventyConfig.addGlobalData('date', 'git Last Modified')", true);
        check("index.html", "lastUpdated: true", false);
    }
}
