//! Which version of Node.js a project wants, and whether it is here.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use nodejs_semver::{Range, Version};

use super::settings::Setting;
use super::tree::Tree;
use crate::command::find_program;

/// Names of long-term releases, as `.nvmrc` may give them.
const NAMES: &[(&str, u64)] =
    &[("gallium", 16), ("hydrogen", 18), ("iron", 20), ("jod", 22), ("krypton", 24)];

/// The version of Node.js for a project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// As it is shown; none where there is none at all.
    pub(super) value: Option<String>,
    pub(super) because: String,
    pub(super) file: Option<String>,
    /// The range to install, where what is here does not do.
    pub(super) install: Option<String>,
}

impl Node {
    /// The version that the project wants, on a machine with the version `here`.
    pub(super) fn find(tree: &Tree<'_>, setting: Option<&Setting>, here: Option<&str>) -> Self {
        let shown = here.map(str::to_owned);
        let Some((wanted, because, file)) = wanted(tree, setting) else {
            let because = "nothing names a version, so it is the one that is here".to_owned();
            return Self { value: shown, because, file: None, install: None };
        };
        let Some(range) = range(&wanted) else {
            return Self { value: shown, because: format!("{because}: `{wanted}`"), file, install: None };
        };
        let does = here
            .and_then(|here| Some(Version::parse(here).ok()?.satisfies(&Range::parse(&range).ok()?)))
            .unwrap_or(false);
        let because = format!("{because}: `{wanted}`");
        if does {
            Self { value: shown, because, file, install: None }
        } else {
            Self { value: Some(range.clone()), because, file, install: Some(range) }
        }
    }
}

/// What the project asks for, why that counts, and where it stands.
fn wanted(tree: &Tree<'_>, setting: Option<&Setting>) -> Option<(String, String, Option<String>)> {
    if let Some(setting) = setting {
        return Some((setting.value.clone(), setting.because.clone(), setting.file.clone()));
    }
    for name in [".nvmrc", ".node-version"] {
        let text = tree.whole_text(name);
        let line = text.as_deref().and_then(|text| text.lines().map(str::trim).find(is_said));
        if let Some(line) = line {
            return Some((line.to_owned(), format!("`{name}` says so"), Some(tree.named(name))));
        }
    }
    let of_package = |text: &str, what: &str| {
        Some((text.to_owned(), format!("{what} says so"), Some(tree.named("package.json"))))
    };
    if let Some(range) = tree.package.and_then(|package| package.node_engine()) {
        return of_package(range, "`engines.node`");
    }
    let text = tree.whole_text(".tool-versions").unwrap_or_default();
    let line = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|tool| ["nodejs", "node"].contains(tool)).and(words.next())
    });
    if let Some(version) = line {
        let because = "`.tool-versions` says so".to_owned();
        return Some((version.to_owned(), because, Some(tree.named(".tool-versions"))));
    }
    let version = tree.package.and_then(|package| package.node_of_volta())?;
    of_package(version, "`volta.node`")
}

fn is_said(line: &&str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// A version, a range or a name as a range that npm understands; `None` where any version does.
fn range(wanted: &str) -> Option<String> {
    let wanted = wanted.trim().trim_start_matches('v');
    if let Some(name) = wanted.strip_prefix("lts/") {
        let known = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        return known.map(|(_, major)| major.to_string());
    }
    // It goes into a command line.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" .^~<>=|*-".contains(&byte);
    let usable =
        !wanted.is_empty() && wanted != "*" && wanted.bytes().all(plain) && Range::parse(wanted).is_ok();
    usable.then(|| wanted.to_owned())
}

/// The version of the `node` on `path`, such as `22.11.0`.
pub(super) fn version_here(path: &OsStr) -> Option<String> {
    let program = find_program("node", path)?;
    // Our own environment is not for it, although it is our own program.
    let output = Command::new(program)
        .arg("--version")
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().trim_start_matches('v').to_owned()).filter(|version| Version::parse(version).is_ok())
}

/// The npm package that has the program for this machine, in a range of versions.
pub(super) fn package(range: &str) -> Option<String> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    Some(format!("node-linux-{architecture}@{range}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::package::Package;

    fn find(files: &[(&str, &str)], here: &str) -> Node {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        let root = directory.path();
        let package = Package::read(root, root).unwrap();
        Node::find(&Tree { source: root, root, package: package.as_ref() }, None, Some(here))
    }

    #[test]
    fn the_nearest_word_counts() {
        let engines = ("package.json", r#"{"engines":{"node":">=18"},"volta":{"node":"16.0.0"}}"#);
        let node = find(&[engines, (".nvmrc", "# ours\nv22.11.0\n"), (".node-version", "18")], "20.1.0");
        assert_eq!((node.install.as_deref(), node.file.as_deref()), (Some("22.11.0"), Some(".nvmrc")));
        let node = find(&[engines, (".node-version", "18")], "20.1.0");
        assert_eq!((node.install.as_deref(), node.file.as_deref()), (Some("18"), Some(".node-version")));
        let node = find(&[engines, (".tool-versions", "ruby 3\nnodejs 18.1.0")], "20.1.0");
        assert_eq!((node.install, node.value.as_deref()), (None, Some("20.1.0")));
        let node = find(&[(".tool-versions", "ruby 3\nnodejs 18.1.0")], "20.1.0");
        assert_eq!(node.install.as_deref(), Some("18.1.0"));
        let node = find(&[("package.json", r#"{"volta":{"node":"16.0.0"}}"#)], "20.1.0");
        assert_eq!(node.install.as_deref(), Some("16.0.0"));
        let node = find(&[], "20.1.0");
        assert_eq!((node.value.as_deref(), node.file), (Some("20.1.0"), None));
    }

    #[test]
    fn names_and_ranges_are_understood() {
        let check = |wanted: &str, here: &str, install: Option<&str>| {
            let node = find(&[(".nvmrc", wanted)], here);
            assert_eq!(node.install.as_deref(), install, "{wanted} on {here}");
        };
        check("lts/*", "20.1.0", None);
        check("lts/Jod", "20.1.0", Some("22"));
        check("lts/iron", "20.1.0", None);
        check("node", "20.1.0", None);
        check("22", "22.5.0", None);
        check("22.x", "20.1.0", Some("22.x"));
        check("^18 || >=22", "20.1.0", Some("^18 || >=22"));
        check(">=18 <21", "20.1.0", None);
        check("*", "20.1.0", None);
        check("; rm -rf /", "20.1.0", None);
        check("$(id)", "20.1.0", None);
    }
}
