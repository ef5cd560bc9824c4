//! Packages of a workspace: which one is the site, and how it is built with those that it needs.

use std::path::Path;

use gitdeploy_core::{Failure, FailureCode};

use super::detect::detect;
use super::members::Members;
use super::package::Package;
use super::settings::Setting;
use super::tree::Tree;
use crate::stop::Stop;

/// How many candidates are named.
const MOST_NAMED: usize = 8;

/// The directory of the package that is the site, where the root of the repository is that of a workspace and no site
/// itself.
pub(super) fn site(tree: &Tree<'_>) -> Result<Option<Setting>, Stop> {
    let Some(package) = tree.package else { return Ok(None) };
    let members = Members::of(tree, package);
    if members.is_empty() || detect(tree).is_some_and(|found| found.preset.priority > 0) {
        return Ok(None);
    }
    let sites: Vec<_> = members
        .directories(tree)
        .into_iter()
        .filter(|directory| {
            let root = tree.root.join(directory);
            let package = Package::read(tree.source, &root).ok().flatten();
            let tree = Tree { source: tree.source, root: &root, package: package.as_ref() };
            package.is_some() && detect(&tree).is_some_and(|found| found.preset.priority > 0)
        })
        .collect();
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

/// Whether a package's name can stand in a command line.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@/._-".contains(&byte))
}
