//! Packages of a workspace: which one is the site, and how it is built with those that it needs.

use std::path::Path;

use gitdeploy_core::{Failure, FailureCode};

use super::detect::detect;
use super::package::Package;
use super::settings::Setting;
use super::tree::Tree;
use crate::stop::Stop;

/// How many packages of a workspace are looked at.
const MOST_PACKAGES: usize = 500;

/// How many candidates are named.
const MOST_NAMED: usize = 8;

/// The directory of the package that is the site, where the root of the repository is that of a workspace and no site
/// itself.
pub(super) fn site(tree: &Tree<'_>) -> Result<Option<Setting>, Stop> {
    let Some(package) = tree.package else { return Ok(None) };
    let patterns = patterns(tree, package);
    if patterns.is_empty() || detect(tree).is_some_and(|found| found.preset.priority > 0) {
        return Ok(None);
    }
    let mut sites: Vec<_> = patterns
        .iter()
        .flat_map(|pattern| packages(tree, pattern))
        .take(MOST_PACKAGES)
        .filter(|directory| {
            let root = tree.root.join(directory);
            let package = Package::read(tree.source, &root).ok().flatten();
            let tree = Tree { source: tree.source, root: &root, package: package.as_ref() };
            package.is_some() && detect(&tree).is_some_and(|found| found.preset.priority > 0)
        })
        .collect();
    sites.sort();
    sites.dedup();
    match sites.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(Setting {
            value: only.clone(),
            because: "it is the only package of the workspace that is a site".to_owned(),
            file: Some(format!("{only}/package.json")),
        })),
        several => {
            let named: Vec<_> =
                several.iter().take(MOST_NAMED).map(|site| format!("`--root {site}`")).collect();
            let cause = format!("the workspace has {} packages that may be the site", several.len());
            let fix = format!("say which one: {}", named.join(" or "));
            Err(Stop::author(Failure::new(FailureCode::PlanRoot, cause).fix(fix)))
        }
    }
}

/// The command that builds the package in `directory` with those that it needs, where a tool for that is used in the
/// workspace at `top`.
pub(super) fn build(
    top: &Path,
    source: &Path,
    directory: &Path,
    package: &Package,
    exec: &str,
) -> Option<Built> {
    let name = package.name.as_deref().filter(|name| is_plain(name))?;
    let whole = Package::read(source, top).ok().flatten()?;
    let tree = Tree { source, root: top, package: Some(&whole) };
    if directory == top {
        return None;
    }
    if whole.needs("turbo") && tree.has("turbo.json") {
        let line = format!("{exec} turbo run build --filter={name}");
        return Some(Built { line, file: tree.named("turbo.json") });
    }
    if whole.needs("nx") && tree.has("nx.json") {
        return Some(Built { line: format!("{exec} nx run {name}:build"), file: tree.named("nx.json") });
    }
    None
}

/// A build command of a workspace's tool.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) line: String,
    /// The file that configures the tool, relative to the repository.
    pub(super) file: String,
}

/// The patterns of the directories of packages, from `package.json` or `pnpm-workspace.yaml`.
fn patterns(tree: &Tree<'_>, package: &Package) -> Vec<String> {
    let listed = package.workspaces();
    if !listed.is_empty() {
        return listed;
    }
    let text = tree.whole_text("pnpm-workspace.yaml").unwrap_or_default();
    let lines = text.lines().skip_while(|line| !line.starts_with("packages:")).skip(1);
    let items = lines.take_while(|line| line.trim().is_empty() || line.starts_with([' ', '-', '#']));
    items
        .filter_map(|line| line.trim().strip_prefix('-'))
        .map(|item| item.trim().trim_matches(['\'', '"']).to_owned())
        .collect()
}

/// The directories that a pattern such as `packages/*` or `apps/web` means.
fn packages(tree: &Tree<'_>, pattern: &str) -> Vec<String> {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    if pattern.starts_with('!') {
        return Vec::new();
    }
    let Some((above, _)) = pattern.split_once('*') else { return vec![pattern.to_owned()] };
    let above = above.rsplit_once('/').map_or("", |(above, _)| above);
    if !above.is_empty() && !tree.has(above) {
        return Vec::new();
    }
    let entries = tree.root.join(above).read_dir().into_iter().flatten().take(MOST_PACKAGES);
    let names = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        // `file_type` does not follow links.
        entry.file_type().ok()?.is_dir().then(|| entry.file_name().into_string().ok())?
    });
    names.map(|name| if above.is_empty() { name } else { format!("{above}/{name}") }).collect()
}

/// Whether a package's name can stand in a command line.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@/._-".contains(&byte))
}
