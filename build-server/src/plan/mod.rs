//! Decides what to install, what to run and where the output will lie, and says why.

mod environment;
mod manager;
mod package;
mod preset;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gitdeploy_core::event::Decision;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Failure, FailureCode};

use crate::command::find_program;
use crate::stop::Stop;
use manager::Manager;
use package::Package;

pub(crate) use environment::environment;

/// What a build will do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The project's directory, where the build command runs.
    pub(crate) root: PathBuf,
    /// The package that brings the package manager, where it is not npm.
    pub(crate) tool: Option<String>,
    pub(crate) install: Option<Step>,
    pub(crate) build: Option<Step>,
    pub(crate) output: Output,
    pub(crate) decisions: Vec<Decision>,
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
    Preset(&'static str),
    /// In the one directory with an `index.html` that the build makes.
    Discover,
}

/// Plans the build of the tree at `source`, for tools that are found on `path`.
pub(crate) fn plan(source: &Path, settings: &BuildSettings, path: &OsStr) -> Result<Plan, Stop> {
    let root = root(source, settings.root.as_deref())?;
    let mut decisions = Decisions::default();
    if let Some(setting) = &settings.root {
        decisions.add("root", setting, SETTING, None);
    }
    let package = Package::read(source, &root)?;
    let build_script = package.as_ref().and_then(|package| package.script("build"));
    let build = match (&settings.command, build_script) {
        (Some(command), _) => {
            decisions.add("build", command, SETTING, None);
            Some(command.clone())
        }
        (None, Some(_)) => None,
        (None, None) => return plain(root, package.as_ref(), settings, decisions),
    };

    // Whoever names both commands needs no package manager of ours.
    let needed = package.as_ref().filter(|_| settings.install.is_none() || settings.command.is_none());
    let manager = needed.map(|package| Manager::find(source, &root, package)).transpose()?;
    if manager.is_some() && find_program("npm", path).is_none() {
        return Err(no_node());
    }
    if let Some(manager) = &manager {
        decisions.add("package_manager", &manager.name(), &manager.because, manager.file.as_deref());
    }
    let install = match (&settings.install, &manager) {
        (Some(line), _) => {
            decisions.add("install", line, SETTING, None);
            Some(Step { line: line.clone(), directory: root.clone() })
        }
        (None, Some(manager)) => {
            let line = manager.install();
            decisions.add(
                "install",
                line,
                "what the package manager offers for builds",
                manager.file.as_deref(),
            );
            Some(Step { line: line.to_owned(), directory: manager.directory.clone() })
        }
        (None, None) => None,
    };
    let build = build.unwrap_or_else(|| {
        let line = manager.as_ref().map_or("npm run build", Manager::build);
        decisions.add("build", line, "the package has a `build` script", Some("package.json"));
        line.to_owned()
    });
    let output = output(settings, package.as_ref(), &mut decisions);
    Ok(Plan {
        build: Some(Step { line: build, directory: root.clone() }),
        root,
        tool: manager.and_then(|manager| manager.package()),
        install,
        output,
        decisions: decisions.0,
    })
}

const SETTING: &str = "the project's settings say so";

/// A tree without a build command: its files are the site.
fn plain(
    root: PathBuf,
    package: Option<&Package>,
    settings: &BuildSettings,
    mut decisions: Decisions,
) -> Result<Plan, Stop> {
    let directory = settings.output.as_deref().map_or(root.clone(), |output| root.join(output));
    if !directory.join("index.html").is_file() {
        let (cause, fix) = if package.is_some() {
            (
                "`package.json` has no `build` script and there is no `index.html`",
                "add a `build` script to `package.json`, or name the command with `--command`",
            )
        } else {
            (
                "there is neither a `package.json` nor an `index.html`",
                "name the project's directory with `--root`, or the build command with `--command`",
            )
        };
        return Err(Stop::author(Failure::new(FailureCode::PlanUnknown, cause).fix(fix)));
    }
    let because = "there is an `index.html` and nothing to build";
    decisions.add("build", "nothing", because, Some("index.html"));
    let output = match &settings.output {
        Some(output) => {
            decisions.add("output", output, SETTING, None);
            Output::Setting(output.clone())
        }
        None => Output::Root,
    };
    Ok(Plan { root, tool: None, install: None, build: None, output, decisions: decisions.0 })
}

fn output(settings: &BuildSettings, package: Option<&Package>, decisions: &mut Decisions) -> Output {
    if let Some(output) = &settings.output {
        decisions.add("output", output, SETTING, None);
        return Output::Setting(output.clone());
    }
    match package.and_then(preset::find) {
        Some(preset) => {
            decisions.add(
                "framework",
                preset.name,
                &format!("the package needs `{}`", preset.dependency),
                Some("package.json"),
            );
            decisions.add("output", preset.output, &format!("{} writes there", preset.name), None);
            Output::Preset(preset.output)
        }
        None => Output::Discover,
    }
}

/// The project's directory within the source.
fn root(source: &Path, setting: Option<&str>) -> Result<PathBuf, Stop> {
    let Some(setting) = setting else {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let file = directory.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        directory
    }

    /// A `PATH` with an `npm` on it.
    fn with_npm() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt as _;
        let tools = tree(&[("npm", "")]);
        std::fs::set_permissions(tools.path().join("npm"), std::fs::Permissions::from_mode(0o755)).unwrap();
        tools
    }

    fn planned(files: &[(&str, &str)], settings: &BuildSettings) -> Result<Plan, Stop> {
        let (source, tools) = (tree(files), with_npm());
        plan(source.path(), settings, tools.path().as_os_str())
    }

    fn check(files: &[(&str, &str)], install: &str, build: &str, output: &Output) {
        let plan = planned(files, &BuildSettings::default()).unwrap();
        assert_eq!(plan.install.map(|step| step.line).unwrap_or_default(), install);
        assert_eq!(plan.build.map(|step| step.line).unwrap_or_default(), build);
        assert_eq!(&plan.output, output);
    }

    const VITE: &str = r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"^8"}}"#;

    #[test]
    fn the_lockfile_decides_the_package_manager() {
        let dist = Output::Preset("dist");
        let npm = "npm ci --no-audit --no-fund";
        check(&[("package.json", VITE), ("package-lock.json", "{}")], npm, "npm run build", &dist);
        check(
            &[("package.json", VITE), ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n")],
            "pnpm install --frozen-lockfile --prefer-offline",
            "pnpm run build",
            &dist,
        );
        check(
            &[("package.json", VITE), ("yarn.lock", "# yarn lockfile v1\n")],
            "yarn install --frozen-lockfile --non-interactive",
            "yarn run build",
            &dist,
        );
        check(
            &[("package.json", VITE), ("yarn.lock", "__metadata:\n  version: 8\n")],
            "yarn install --immutable",
            "yarn run build",
            &dist,
        );
        check(&[("package.json", VITE)], "npm install --no-audit --no-fund", "npm run build", &dist);
    }

    #[test]
    fn plain_html_is_published_as_it_is() {
        check(&[("index.html", "hi")], "", "", &Output::Root);
        check(&[("index.html", "hi"), ("package.json", "{}")], "", "", &Output::Root);
    }

    #[test]
    fn an_unknown_framework_is_discovered() {
        let package = r#"{"scripts":{"build":"node build.js"}}"#;
        check(
            &[("package.json", package)],
            "npm install --no-audit --no-fund",
            "npm run build",
            &Output::Discover,
        );
    }

    #[test]
    fn settings_win() {
        let settings = BuildSettings {
            root: Some("site".to_owned()),
            install: Some("true".to_owned()),
            command: Some("make".to_owned()),
            node: None,
            output: Some("www".to_owned()),
        };
        let plan = planned(&[("site/package.json", VITE), ("package-lock.json", "{}")], &settings).unwrap();
        assert!(plan.root.ends_with("site"));
        assert_eq!(plan.install.unwrap().line, "true");
        assert_eq!(plan.build.unwrap().line, "make");
        assert_eq!(plan.output, Output::Setting("www".to_owned()));
        assert!(plan.decisions.iter().filter(|decision| decision.because == SETTING).count() >= 4);
    }

    #[test]
    fn a_workspace_is_installed_where_its_lockfile_is() {
        let settings = BuildSettings { root: Some("apps/web".to_owned()), ..BuildSettings::default() };
        let files = [("apps/web/package.json", VITE), ("package.json", "{}"), ("package-lock.json", "{}")];
        let plan = planned(&files, &settings).unwrap();
        let install = plan.install.unwrap();
        assert!(install.line.starts_with("npm ci"));
        assert!(!install.directory.ends_with("apps/web"));
        assert!(plan.build.unwrap().directory.ends_with("apps/web"));
    }

    #[test]
    fn what_cannot_be_built_is_said() {
        let check = |files: &[(&str, &str)], settings: &BuildSettings, code| {
            let failure = planned(files, settings).unwrap_err().failure;
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.fix.is_some());
        };
        let none = BuildSettings::default();
        check(&[("README.md", "hi")], &none, FailureCode::PlanUnknown);
        check(&[("package.json", "{}")], &none, FailureCode::PlanUnknown);
        check(&[("package.json", "{")], &none, FailureCode::PlanSetting);
        let rooted = |root: &str| BuildSettings { root: Some(root.to_owned()), ..BuildSettings::default() };
        check(&[("index.html", "hi")], &rooted("docs"), FailureCode::PlanRoot);
        check(&[("index.html", "hi")], &rooted("../.."), FailureCode::PlanRoot);
        let strange = r#"{"scripts":{"build":"x"},"packageManager":"pnpm@9; rm -rf /"}"#;
        check(&[("package.json", strange)], &none, FailureCode::PlanSetting);
        let bun = [("package.json", VITE), ("bun.lock", "")];
        check(&bun, &none, FailureCode::PlanToolMissing);
        let both = BuildSettings {
            install: Some("bun install".to_owned()),
            command: Some("bun run build".to_owned()),
            ..BuildSettings::default()
        };
        assert_eq!(planned(&bun, &both).unwrap().install.unwrap().line, "bun install");
    }

    #[test]
    fn what_is_no_file_of_the_repository_is_not_opened() {
        for target in ["/proc/self/fd/0", "/etc/passwd", "."] {
            let source = tree(&[("index.html", "hi")]);
            std::os::unix::fs::symlink(target, source.path().join("package.json")).unwrap();
            let stop = plan(source.path(), &BuildSettings::default(), OsStr::new("")).unwrap_err();
            assert_eq!(stop.failure.code, FailureCode::PlanSetting, "{target}");
        }
        let source = tree(&[("package.json", VITE)]);
        std::os::unix::fs::symlink("/proc/self/fd/0", source.path().join("yarn.lock")).unwrap();
        let planned = plan(source.path(), &BuildSettings::default(), with_npm().path().as_os_str()).unwrap();
        assert!(planned.install.unwrap().line.starts_with("npm install"));
    }

    #[test]
    fn without_node_the_tool_is_named() {
        let source = tree(&[("package.json", VITE)]);
        let stop = plan(source.path(), &BuildSettings::default(), OsStr::new("/nowhere")).unwrap_err();
        assert_eq!(stop.failure.code, FailureCode::PlanToolMissing);
    }
}
