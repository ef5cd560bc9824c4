//! The order in which a plan is made, and which rule counts before which.

use std::ffi::OsStr;

use gitdeploy_core::{Failure, FailureCode};

use super::decisions::{Decided, Decisions};
use super::detect::{Detected, Place};
use super::manager::Manager;
use super::node::{self, Node};
use super::preset::Runtime;
use super::settings::Settings;
use super::tree::Tree;
use super::{Output, Plan, Step, tool, workspace};
use crate::command::find_program;
use crate::stop::Stop;

/// Directories in which the files of a finished site may lie, in the order in which they are looked at.
const PLAIN: &[&str] = &[".", "public", "static", "dist", "www", "site", "docs"];

/// Plans the build of one project.
pub(super) struct Planner<'a> {
    pub(super) tree: Tree<'a>,
    pub(super) settings: Settings,
    /// Where tools are found.
    pub(super) path: &'a OsStr,
    pub(super) detected: Option<Detected>,
    /// Why the project is where it is.
    pub(super) root: Decided,
}

impl Planner<'_> {
    pub(super) fn plan(self) -> Result<Plan, Stop> {
        let has_script = self.tree.package.is_some_and(|package| package.script("build").is_some());
        let is_known = self.detected.as_ref().is_some_and(|found| found.preset.build.is_some());
        let has_command = self.settings.command.as_ref().is_some_and(|command| !command.value.is_empty());
        let is_off = self.settings.command.is_some() && !has_command;
        if is_off || !(has_command || has_script || is_known) {
            return self.plain();
        }
        let framework = match &self.detected {
            Some(found) => {
                // Whoever names the command knows what it makes.
                if !has_command {
                    found.check_static(&self.tree)?;
                    tool::check(found, self.path)?;
                }
                Decided::proved(&found.preset.name, &found.proof, &self.tree)
            }
            None => Decided::none("no known site generator is used"),
        };
        let place = self.detected.as_ref().map(|found| found.place(&self.tree));
        let (manager, package_manager) = self.manager()?;
        let (node, node_decided) = self.node(manager.is_some());
        let (install, install_decided) = self.install(manager.as_ref());
        let (build, build_decided) = self.build(manager.as_ref(), place.as_ref());
        let (output, output_decided) = self.output(place);
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
            platforms: self.settings.platforms.unwrap_or_default(),
            history: history.map(|proof| proof.because),
            decisions: Decisions {
                root: self.root,
                framework,
                package_manager,
                node: node_decided,
                install: install_decided,
                build: build_decided,
                output: output_decided,
            },
            root: self.tree.root.to_owned(),
        })
    }

    /// A tree without a build command: its files are the site.
    fn plain(self) -> Result<Plan, Stop> {
        let named = self.settings.output.as_ref();
        let directory = match named {
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
        let file = Some(self.tree.named(&page));
        let output_decided = match named {
            Some(setting) => Decided::set(setting),
            None => Decided::new(directory, "its `index.html` is there", file.clone()),
        };
        let output = match (named, directory) {
            (None, ".") => Output::Root,
            (_, directory) => Output::Setting(directory.to_owned()),
        };
        let build = match &self.settings.command {
            Some(setting) => Decided::set(setting),
            None => Decided {
                file: file.clone(),
                ..Decided::none("there is an `index.html` and nothing to build")
            },
        };
        let nothing = || Decided::none("there is nothing to build");
        Ok(Plan {
            root: self.tree.root.to_owned(),
            preset: None,
            node: None,
            tool: None,
            packages: None,
            install: None,
            build: None,
            output,
            platforms: self.settings.platforms.clone().unwrap_or_default(),
            history: None,
            decisions: Decisions {
                root: self.root,
                framework: Decided::new("plain files", "there is nothing to build", file),
                package_manager: nothing(),
                node: nothing(),
                install: nothing(),
                build,
                output: output_decided,
            },
        })
    }

    /// Whoever names both commands needs no package manager of ours.
    fn manager(&self) -> Result<(Option<Manager>, Decided), Stop> {
        if self.settings.install.is_some() && self.settings.command.is_some() {
            return Ok((None, Decided::none("both commands are named")));
        }
        let Some(package) = self.tree.package else {
            return Ok((None, Decided::none("there is no `package.json`")));
        };
        let manager = Manager::find(self.tree.source, self.tree.root, package)?;
        if find_program("npm", self.path).is_none() {
            return Err(no_node());
        }
        let decided = Decided::new(manager.name(), &manager.because, manager.file.clone());
        Ok((Some(manager), decided))
    }

    fn node(&self, is_managed: bool) -> (Option<Node>, Decided) {
        if self.settings.node.is_none() && !is_managed {
            return (None, Decided::none("no package manager of Node.js is used"));
        }
        let here = node::version_here(self.path);
        let node = Node::find(&self.tree, self.settings.node.as_ref(), here.as_deref());
        let decided =
            Decided { value: node.value.clone(), because: node.because.clone(), file: node.file.clone() };
        (Some(node), decided)
    }

    fn install(&self, manager: Option<&Manager>) -> (Option<Step>, Decided) {
        let root = self.tree.root;
        if let Some(setting) = &self.settings.install {
            let step = Step { line: setting.value.clone(), directory: root.to_owned() };
            return (Some(step).filter(|step| !step.line.is_empty()), Decided::set(setting));
        }
        if let Some(found) = &self.detected
            && let Some(install) = tool::install(found, &self.tree)
        {
            let file = install.file.map(|file| self.tree.named(&file));
            let decided = Decided::new(&install.line, install.because, file);
            return (Some(Step { line: install.line, directory: root.to_owned() }), decided);
        }
        let Some(manager) = manager else {
            return (None, Decided::none("nothing says that something is to be installed"));
        };
        let line = manager.install();
        let (because, file) = manager.install_because();
        let step = Step { line: line.to_owned(), directory: manager.directory.clone() };
        (Some(step), Decided::new(line, because, file))
    }

    fn build(&self, manager: Option<&Manager>, place: Option<&Place>) -> (Option<Step>, Decided) {
        let root = self.tree.root;
        let step = |line: &str| Some(Step { line: line.to_owned(), directory: root.to_owned() });
        if let Some(setting) = &self.settings.command {
            return (step(&setting.value), Decided::set(setting));
        }
        let exec = manager.map_or("npx --no-install", Manager::exec);
        if let (Some(manager), Some(package)) = (manager, self.tree.package)
            && let Some(built) = workspace::build(&manager.directory, self.tree.source, root, package, exec)
        {
            let because = "it builds the packages that this one needs too";
            let decided = Decided::new(&built.line, because, Some(built.file));
            return (Some(Step { line: built.line, directory: manager.directory.clone() }), decided);
        }
        let script = self.tree.package.and_then(|package| package.script("build"));
        let wanted = self.detected.as_ref().and_then(|found| found.preset.script.as_deref());
        if let Some(script) = script
            && wanted.is_none_or(|wanted| script.contains(wanted))
        {
            let line = manager.map_or("npm run build", Manager::build);
            let file = Some(self.tree.named("package.json"));
            return (step(line), Decided::new(line, "the package has a `build` script", file));
        }
        let none = || (None, Decided::none("nothing says how it is built"));
        let Some(found) = &self.detected else { return none() };
        let named = place.and_then(|place| place.build.as_ref()).or(found.preset.build.as_ref());
        let Some(build) = named.map(|build| found.fill(build)) else { return none() };
        let is_node = found.preset.runtime == Runtime::Node;
        let line = if is_node { format!("{exec} {build}") } else { build };
        let because = match (script, wanted) {
            (Some(_), Some(wanted)) => {
                format!("the `build` script does not run `{wanted}`, which makes the files")
            }
            _ => format!("{} is built so", found.preset.name),
        };
        let decided = Decided::new(&line, because, Some(self.tree.named(&found.proof.file)));
        (step(&line), decided)
    }

    fn output(&self, place: Option<Place>) -> (Output, Decided) {
        if let Some(setting) = &self.settings.output {
            return (Output::Setting(setting.value.clone()), Decided::set(setting));
        }
        match place {
            Some(place) => {
                let decided = Decided::proved(&place.output, &place.proof, &self.tree);
                (Output::Preset(place.output), decided)
            }
            None => (Output::Discover, Decided::none("no known site generator is used")),
        }
    }
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
