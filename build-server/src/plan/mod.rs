//! Decides what to install, what to run and where the output will lie, and says why.

mod decisions;
mod detect;
mod environment;
mod evidence;
#[cfg(test)]
mod frameworks;
mod limit;
mod manager;
mod members;
mod node;
mod package;
mod planner;
mod preset;
mod settings;
mod told;
mod tool;
mod tree;
mod workspace;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Failure, FailureCode};

use crate::stop::{Stop, disk};
use package::Package;
use planner::Planner;
use settings::{Setting, Settings};
use tree::Tree;

pub use decisions::{Decided, Decisions};
pub(crate) use environment::environment;
pub(crate) use limit::{LIMIT, within};
pub(crate) use preset::Preset;
pub(crate) use told::{Platform, told};

/// What a build will do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The project's directory, where the build command runs.
    pub(crate) root: PathBuf,
    /// The site generator, if it is one that is known.
    pub(crate) preset: Option<&'static Preset>,
    /// The npm package that brings the wanted version of Node.js, where it is not here.
    pub(crate) node: Option<String>,
    /// The npm package that brings the package manager, where it is not npm.
    pub(crate) tool: Option<String>,
    /// How npm and its like install the packages; absent: they do not.
    pub(crate) packages: Option<Packages>,
    pub(crate) install: Option<Step>,
    pub(crate) build: Option<Step>,
    pub(crate) output: Output,
    /// The platforms by whose names the project wants to be told.
    pub(crate) platforms: Vec<Platform>,
    /// Why the build looks at the history of the repository, if it does.
    pub(crate) history: Option<String>,
    pub(crate) decisions: Decisions,
}

/// How packages are installed.
#[derive(Debug)]
pub(crate) struct Packages {
    /// The name of the package manager, such as `npm`.
    pub(crate) manager: &'static str,
    pub(crate) lockfile: Option<PathBuf>,
    /// Where it installs.
    pub(crate) directory: PathBuf,
    /// Whether the install command is the one that we know of it.
    pub(crate) ours: bool,
    /// What installs them where the lockfile does not fit; absent: then nothing does.
    pub(crate) relaxed: Option<&'static str>,
}

/// A command and where it runs.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: String,
    pub(crate) directory: PathBuf,
}

/// Where the output will lie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// There is nothing to build: the root itself.
    Root,
    /// Where the project says.
    Setting(String),
    /// Where the framework usually puts it; if it is not there, as with [`Output::Discover`].
    Preset(String),
    /// In the one directory with an `index.html` that the build makes.
    Discover,
}

/// Plans the build of the tree at `source`, for tools that are found on `path`.
pub(crate) fn plan(source: &Path, settings: &BuildSettings, path: &OsStr) -> Result<Plan, Stop> {
    // What the plan names is compared with what is found below it.
    let source = source.canonicalize().map_err(disk("cannot read the source"))?;
    let source = source.as_path();
    let by_deployment = Settings::of_deployment(settings);
    let package = Package::read(source, source)?;
    let top = Tree { source, root: source, package: package.as_ref() };
    let by_repository = Settings::of_files(&top)?;
    let wanted_root = match by_deployment.root.clone().or(by_repository.root.clone()) {
        Some(setting) => Some(setting),
        None => workspace::site(&top)?,
    };
    let root = root(source, wanted_root.as_ref())?;
    let package = Package::read(source, &root)?;
    let tree = Tree { source, root: &root, package: package.as_ref() };
    let by_project = if wanted_root.is_some() { Settings::of_files(&tree)? } else { Settings::default() };
    let settings = by_deployment.or(by_project).or(by_repository);

    let decided = match &wanted_root {
        Some(setting) => Decided::set(setting),
        None => Decided::new(".", "nothing says otherwise", None),
    };
    Planner { tree, settings, path, detected: detect::detect(&tree), root: decided }.plan()
}

/// The project's directory within the source.
fn root(source: &Path, setting: Option<&Setting>) -> Result<PathBuf, Stop> {
    let Some(setting) = setting.map(|setting| setting.value.as_str()) else {
        return Ok(source.to_owned());
    };
    let refuse = |cause: String| {
        let fix = "name a directory of the repository with `--root`";
        Stop::author(Failure::new(FailureCode::PlanRoot, cause).fix(fix))
    };
    let directory = source
        .join(setting.trim_matches('/'))
        .canonicalize()
        .map_err(|_| refuse(format!("there is no directory `{setting}` in the repository")))?;
    let inside = source.canonicalize().is_ok_and(|source| directory.starts_with(source));
    if !inside || !directory.is_dir() {
        return Err(refuse(format!("`{setting}` is no directory of the repository")));
    }
    Ok(directory)
}

#[cfg(test)]
mod tests;
