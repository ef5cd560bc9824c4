//! What a project says about its build: with the deployment, in `gitdeploy.toml`, or in the files of other platforms.

use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{Failure, FailureCode};
use serde::Deserialize;

use super::told::Platform;
use super::tree::Tree;
use crate::stop::Stop;

/// One setting, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) because: String,
    pub(super) file: Option<String>,
}

/// All settings of a project. What is absent is found out.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) root: Option<Setting>,
    pub(super) install: Option<Setting>,
    pub(super) command: Option<Setting>,
    pub(super) output: Option<Setting>,
    pub(super) node: Option<Setting>,
    /// The platforms by whose names the project wants to be told of its deployment.
    pub(super) platforms: Option<Vec<Platform>>,
}

/// What is said with the deployment.
pub(super) const BY_DEPLOYMENT: &str = "the settings of the deployment say so";

impl Settings {
    /// The settings of a deployment alone.
    pub(super) fn of_deployment(settings: &BuildSettings) -> Self {
        let setting = |value: &Option<String>| {
            let value = value.clone()?;
            Some(Setting { value, because: BY_DEPLOYMENT.to_owned(), file: None })
        };
        Self {
            root: setting(&settings.root),
            install: setting(&settings.install),
            command: setting(&settings.command),
            output: setting(&settings.output),
            node: setting(&settings.node),
            platforms: None,
        }
    }

    /// The settings in the files of a directory: `gitdeploy.toml`, then `netlify.toml`, then `vercel.json`.
    pub(super) fn of_files(tree: &Tree<'_>) -> Result<Self, Stop> {
        Ok(Self::default().or(gitdeploy(tree)?).or(netlify(tree)?).or(vercel(tree)?))
    }

    /// These, and of `others` those that are absent here.
    #[must_use]
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            root: self.root.or(others.root),
            install: self.install.or(others.install),
            command: self.command.or(others.command),
            output: self.output.or(others.output),
            node: self.node.or(others.node),
            platforms: self.platforms.or(others.platforms),
        }
    }
}

const GITDEPLOY: &str = "gitdeploy.toml";
const NETLIFY: &str = "netlify.toml";
const VERCEL: &str = "vercel.json";

fn gitdeploy(tree: &Tree<'_>) -> Result<Settings, Stop> {
    #[derive(Deserialize)]
    struct File {
        build: Option<Build>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Build {
        root: Option<String>,
        install: Option<String>,
        command: Option<String>,
        output: Option<String>,
        node: Option<toml::Value>,
        variables_of: Option<Vec<Platform>>,
    }

    let Some(file) =
        parse(tree, GITDEPLOY, |text| toml::from_str::<File>(text).map_err(|error| said(&error)))?
    else {
        return Ok(Settings::default());
    };
    let Some(build) = file.build else { return Ok(Settings::default()) };
    let setting = |key: &str, value: Option<String>| of_file(tree, GITDEPLOY, &format!("build.{key}"), value);
    let node = build.node.map(|node| match node {
        toml::Value::String(text) => text,
        other => other.to_string(),
    });
    Ok(Settings {
        root: setting("root", build.root),
        install: setting("install", build.install),
        command: setting("command", build.command),
        output: setting("output", build.output),
        node: setting("node", node),
        platforms: build.variables_of,
    })
}

fn netlify(tree: &Tree<'_>) -> Result<Settings, Stop> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        build: Build,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Build {
        base: Option<String>,
        command: Option<String>,
        publish: Option<String>,
        environment: toml::Table,
    }

    let Some(file) = parse(tree, NETLIFY, |text| toml::from_str::<File>(text).map_err(|error| said(&error)))?
    else {
        return Ok(Settings::default());
    };
    let build = file.build;
    let setting = |key: &str, value: Option<String>| {
        of_file(tree, NETLIFY, &format!("build.{key}"), value.filter(|value| !value.trim().is_empty()))
    };
    // Netlify takes `publish` from the root of the repository where it begins with `base`.
    let base = build.base.as_deref().map(|base| base.trim_matches('/').to_owned());
    let publish = build.publish.map(|publish| {
        let publish = publish.trim_start_matches('/').to_owned();
        let below = base.as_deref().filter(|base| !base.is_empty());
        below.and_then(|base| publish.strip_prefix(base)?.strip_prefix('/')).unwrap_or(&publish).to_owned()
    });
    let node = build.environment.get("NODE_VERSION").map(|node| match node {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Ok(Settings {
        root: setting("base", base),
        install: None,
        command: setting("command", build.command),
        output: setting("publish", publish),
        node: setting("environment.NODE_VERSION", node),
        platforms: None,
    })
}

fn vercel(tree: &Tree<'_>) -> Result<Settings, Stop> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        build_command: Option<String>,
        output_directory: Option<String>,
        install_command: Option<String>,
    }

    let parsed =
        parse(tree, VERCEL, |text| serde_json::from_str::<File>(text).map_err(|error| error.to_string()))?;
    let Some(file) = parsed else { return Ok(Settings::default()) };
    let setting = |key: &str, value: Option<String>| of_file(tree, VERCEL, key, value);
    Ok(Settings {
        root: None,
        install: setting("installCommand", file.install_command),
        command: setting("buildCommand", file.build_command),
        output: setting("outputDirectory", file.output_directory),
        node: None,
        platforms: None,
    })
}

fn of_file(tree: &Tree<'_>, file: &str, key: &str, value: Option<String>) -> Option<Setting> {
    let (value, file) = (value?.trim().to_owned(), tree.named(file));
    Some(Setting { value, because: format!("`{key}` in `{file}`"), file: Some(file) })
}

fn parse<T>(
    tree: &Tree<'_>,
    file: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, Stop> {
    let Some(text) = tree.whole_text(file) else { return Ok(None) };
    parse(&text).map(Some).map_err(|error| {
        let cause = format!("`{file}` cannot be used: {error}");
        Stop::author(Failure::new(FailureCode::PlanSetting, cause).fix("mend the file, then deploy again"))
    })
}

/// What is wrong with a file, on one line.
fn said(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Settings, Stop> {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        Settings::of_files(&Tree { source: directory.path(), root: directory.path(), package: None })
    }

    fn value(setting: Option<&Setting>) -> (&str, &str) {
        setting.map_or(("", ""), |setting| (&setting.value, &setting.because))
    }

    #[test]
    fn our_own_file_counts_before_the_others() {
        let settings = read(&[
            ("gitdeploy.toml", "[build]\ncommand = \"make\"\nnode = 22\n[serve]\nspa = \"all\""),
            ("netlify.toml", "[build]\ncommand = \"netlify\"\npublish = \"public\"\n[build.environment]\nNODE_VERSION = \"18\""),
            ("vercel.json", r#"{"buildCommand":"vercel","outputDirectory":"out","installCommand":"npm i"}"#),
        ])
        .unwrap();
        assert_eq!(value(settings.command.as_ref()), ("make", "`build.command` in `gitdeploy.toml`"));
        assert_eq!(value(settings.node.as_ref()), ("22", "`build.node` in `gitdeploy.toml`"));
        assert_eq!(value(settings.output.as_ref()), ("public", "`build.publish` in `netlify.toml`"));
        assert_eq!(value(settings.install.as_ref()), ("npm i", "`installCommand` in `vercel.json`"));
    }

    #[test]
    fn what_netlify_publishes_may_be_told_from_the_top() {
        let netlify = "[build]\nbase = \"site/\"\npublish = \"site/dist\"";
        let settings = read(&[("netlify.toml", netlify)]).unwrap();
        assert_eq!((value(settings.root.as_ref()).0, value(settings.output.as_ref()).0), ("site", "dist"));
    }

    #[test]
    fn what_is_wrong_names_the_file_and_the_key() {
        for (file, content, named) in [
            ("gitdeploy.toml", "[build]\ncomand = \"make\"", "comand"),
            ("gitdeploy.toml", "[build", ""),
            ("netlify.toml", "[build]\ncommand = 5", ""),
            ("vercel.json", "{", ""),
        ] {
            let failure = read(&[(file, content)]).unwrap_err().failure;
            assert_eq!(failure.code, FailureCode::PlanSetting);
            assert!(failure.cause.contains(file) && failure.cause.contains(named), "{failure}");
        }
    }
}
