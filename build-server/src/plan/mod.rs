//! Decides what to install, what to run and where the output will lie, and says why.

mod detect;
mod environment;
mod evidence;
#[cfg(test)]
mod frameworks;
mod limit;
mod manager;
mod memory;
mod node;
mod package;
mod preset;
mod settings;
mod tool;
mod tree;
mod workspace;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gitdeploy_core::event::Decision;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Failure, FailureCode};

use crate::command::find_program;
use crate::stop::Stop;
use detect::Detected;
use evidence::Proof;
use manager::Manager;
use node::Node;
use package::Package;
use settings::{Setting, Settings};
use tree::Tree;

pub(crate) use environment::environment;
pub(crate) use limit::{LIMIT, within};
pub(crate) use preset::Preset;

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
    /// Why the build looks at the history of the repository, if it does.
    pub(crate) history: Option<String>,
    pub(crate) decisions: Vec<Decision>,
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

/// Directories in which the files of a finished site may lie, in the order in which they are looked at.
const PLAIN: &[&str] = &[".", "public", "static", "dist", "www", "site", "docs"];

/// Plans the build of the tree at `source`, for tools that are found on `path`.
pub(crate) fn plan(source: &Path, settings: &BuildSettings, path: &OsStr) -> Result<Plan, Stop> {
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

    let mut decisions = Decisions::default();
    match &wanted_root {
        Some(setting) => decisions.set("root", setting),
        None => decisions.add("root", ".", "nothing says otherwise", None),
    }
    Planner { tree, settings, path, detected: detect::detect(&tree), decisions }.plan()
}

struct Planner<'a> {
    tree: Tree<'a>,
    settings: Settings,
    path: &'a OsStr,
    detected: Option<Detected>,
    decisions: Decisions,
}

impl Planner<'_> {
    fn plan(mut self) -> Result<Plan, Stop> {
        let has_script = self.tree.package.is_some_and(|package| package.script("build").is_some());
        let is_known = self.detected.as_ref().is_some_and(|found| found.preset.build.is_some());
        let has_command = self.settings.command.as_ref().is_some_and(|command| !command.value.is_empty());
        let is_off = self.settings.command.is_some() && !has_command;
        if is_off || !(has_command || has_script || is_known) {
            return self.plain();
        }
        if let Some(found) = &self.detected {
            // Whoever names the command knows what it makes.
            if !has_command {
                found.check_static(&self.tree)?;
                tool::check(found, self.path)?;
            }
            self.decisions.prove("framework", &found.preset.name, &found.proof);
        }
        let manager = self.manager()?;
        let node = self.node(manager.is_some());
        let install = self.install(manager.as_ref());
        let build = self.build(manager.as_ref());
        let output = self.output();
        let history = self.detected.as_ref().and_then(|found| found.history(&self.tree));
        let is_ours = |manager: &Manager| install.as_ref().is_some_and(|step| step.line == manager.install());
        Ok(Plan {
            packages: manager.as_ref().map(|manager| manager.packages(is_ours(manager))),
            preset: self.detected.as_ref().map(|found| found.preset),
            node: node.and_then(|node| node::package(&node.install?)),
            tool: manager.and_then(|manager| manager.package()),
            install,
            build,
            output,
            history: history.map(|proof| proof.because),
            decisions: self.decisions.0,
            root: self.tree.root.to_owned(),
        })
    }

    /// A tree without a build command: its files are the site.
    fn plain(mut self) -> Result<Plan, Stop> {
        let named = self.settings.output.clone();
        let directory = match &named {
            Some(setting) => Some(setting.value.as_str()),
            None => {
                PLAIN.iter().copied().find(|name| !self.tree.files(&format!("{name}/index.html")).is_empty())
            }
        };
        let page = directory.map(|directory| format!("{directory}/index.html"));
        let page = page.and_then(|page| self.tree.files(&page).into_iter().next());
        let (Some(directory), Some(page)) = (directory, page) else {
            return Err(nothing_to_build(self.tree.package.is_some()));
        };
        self.decisions.add("framework", "plain files", "there is nothing to build", Some(&page));
        self.decisions.add("build", "nothing", "there is an `index.html` and nothing to build", Some(&page));
        let output = match named {
            Some(setting) => {
                self.decisions.set("output", &setting);
                Output::Setting(setting.value)
            }
            None if directory == "." => {
                self.decisions.add("output", ".", "its `index.html` is there", Some(&page));
                Output::Root
            }
            None => {
                self.decisions.add("output", directory, "its `index.html` is there", Some(&page));
                Output::Setting(directory.to_owned())
            }
        };
        Ok(Plan {
            root: self.tree.root.to_owned(),
            preset: None,
            node: None,
            tool: None,
            packages: None,
            install: None,
            build: None,
            output,
            history: None,
            decisions: self.decisions.0,
        })
    }

    /// Whoever names both commands needs no package manager of ours.
    fn manager(&mut self) -> Result<Option<Manager>, Stop> {
        let needed = self.settings.install.is_none() || self.settings.command.is_none();
        let Some(package) = self.tree.package.filter(|_| needed) else { return Ok(None) };
        let manager = Manager::find(self.tree.source, self.tree.root, package)?;
        if find_program("npm", self.path).is_none() {
            return Err(no_node());
        }
        self.decisions.add("package_manager", &manager.name(), &manager.because, manager.file.as_deref());
        Ok(Some(manager))
    }

    fn node(&mut self, is_managed: bool) -> Option<Node> {
        let is_asked = self.settings.node.is_some();
        if !is_asked && (!is_managed || self.tree.package.is_none()) {
            return None;
        }
        let here = node::version_here(self.path);
        let node = Node::find(&self.tree, self.settings.node.as_ref(), here.as_deref());
        self.decisions.add("node", &node.value, &node.because, node.file.as_deref());
        Some(node)
    }

    fn install(&mut self, manager: Option<&Manager>) -> Option<Step> {
        if let Some(setting) = &self.settings.install {
            self.decisions.set("install", setting);
            let step = Step { line: setting.value.clone(), directory: self.tree.root.to_owned() };
            return Some(step).filter(|step| !step.line.is_empty());
        }
        if let Some(found) = &self.detected
            && let Some(install) = tool::install(found, &self.tree)
        {
            self.decisions.add("install", &install.line, &install.because, install.file.as_deref());
            return Some(Step { line: install.line, directory: self.tree.root.to_owned() });
        }
        let manager = manager?;
        let line = manager.install();
        self.decisions.add(
            "install",
            line,
            "what the package manager offers for builds",
            manager.file.as_deref(),
        );
        Some(Step { line: line.to_owned(), directory: manager.directory.clone() })
    }

    fn build(&mut self, manager: Option<&Manager>) -> Option<Step> {
        let root = self.tree.root;
        let step = |line: String| Some(Step { line, directory: root.to_owned() });
        if let Some(setting) = &self.settings.command {
            self.decisions.set("build", setting);
            return step(setting.value.clone());
        }
        let exec = manager.map_or("npx --no-install", Manager::exec);
        if let (Some(manager), Some(package)) = (manager, self.tree.package)
            && let Some(built) = workspace::build(&manager.directory, self.tree.source, root, package, exec)
        {
            let because = "it builds the packages that this one needs too";
            self.decisions.add("build", &built.line, because, Some(built.file));
            return Some(Step { line: built.line, directory: manager.directory.clone() });
        }
        let script = self.tree.package.and_then(|package| package.script("build"));
        let wanted = self.detected.as_ref().and_then(|found| found.preset.script.as_deref());
        if let Some(script) = script
            && wanted.is_none_or(|wanted| script.contains(wanted))
        {
            let line = manager.map_or("npm run build", Manager::build);
            self.decisions.add("build", line, "the package has a `build` script", Some("package.json"));
            return step(line.to_owned());
        }
        let found = self.detected.as_ref()?;
        let place = found.place(&self.tree);
        let build = place.build.as_ref().or(found.preset.build.as_ref())?;
        let build = found.fill(build);
        let is_node = found.preset.runtime == preset::Runtime::Node;
        let line = if is_node { format!("{exec} {build}") } else { build };
        let because = match (script, wanted) {
            (Some(_), Some(wanted)) => {
                format!("the `build` script does not run `{wanted}`, which makes the files")
            }
            _ => format!("{} is built so", found.preset.name),
        };
        self.decisions.add("build", &line, &because, Some(&found.proof.file));
        step(line)
    }

    fn output(&mut self) -> Output {
        if let Some(setting) = &self.settings.output {
            self.decisions.set("output", setting);
            return Output::Setting(setting.value.clone());
        }
        let Some(found) = &self.detected else {
            self.decisions.add("output", "found after the build", "no known site generator is used", None);
            return Output::Discover;
        };
        let place = found.place(&self.tree);
        self.decisions.prove("output", &place.output, &place.proof);
        Output::Preset(place.output)
    }
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

fn nothing_to_build(has_package: bool) -> Stop {
    let (cause, fix) = if has_package {
        (
            "`package.json` has no `build` script, no known site generator is used, and there is no `index.html`",
            "add a `build` script to `package.json`, or name the command with `--command`",
        )
    } else {
        (
            "no known site generator is used, and there is neither a `package.json` nor an `index.html`",
            "name the project's directory with `--root`, or the build command with `--command`",
        )
    };
    Stop::author(Failure::new(FailureCode::PlanUnknown, cause).fix(fix))
}

fn no_node() -> Stop {
    let cause = "the repository has a `package.json`, but Node.js with npm is not installed here";
    Stop::author(Failure::new(FailureCode::PlanToolMissing, cause).fix("install Node.js, then deploy again"))
}

#[derive(Debug, Default)]
struct Decisions(Vec<Decision>);

impl Decisions {
    fn add(&mut self, name: &str, value: &str, because: &str, file: Option<&str>) {
        self.0.push(Decision {
            name: name.to_owned(),
            value: value.to_owned(),
            because: because.to_owned(),
            file: file.map(str::to_owned),
        });
    }

    fn set(&mut self, name: &str, setting: &Setting) {
        self.add(name, &setting.value, &setting.because, setting.file.as_deref());
    }

    fn prove(&mut self, name: &str, value: &str, proof: &Proof) {
        self.add(name, value, &proof.because, Some(&proof.file));
    }
}

#[cfg(test)]
mod tests;
