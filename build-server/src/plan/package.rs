//! What `package.json` says.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use gitdeploy_core::{Failure, FailureCode};
use serde::Deserialize;

use crate::stop::{Stop, disk};

/// The largest `package.json` that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// The parts of a `package.json` that a plan looks at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Package {
    /// Its name, by which tools for workspaces call it.
    pub(super) name: Option<String>,
    scripts: BTreeMap<String, String>,
    dependencies: BTreeMap<String, serde_json::Value>,
    dev_dependencies: BTreeMap<String, serde_json::Value>,
    /// Such as `pnpm@9.15.0+sha512.…`.
    #[serde(rename = "packageManager")]
    pub(super) manager: Option<String>,
    engines: BTreeMap<String, serde_json::Value>,
    volta: BTreeMap<String, serde_json::Value>,
    workspaces: serde_json::Value,
}

impl Package {
    /// Reads the `package.json` in `directory`, if there is one, of the tree at `source`.
    pub(super) fn read(source: &Path, directory: &Path) -> Result<Option<Self>, Stop> {
        let path = directory.join("package.json");
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let file = open_inside(source, &path).ok_or_else(|| {
            let cause = "`package.json` is no file of the repository";
            Stop::author(
                Failure::new(FailureCode::PlanSetting, cause).fix("commit the file itself, not a link"),
            )
        })?;
        let mut text = Vec::new();
        file.take(LARGEST).read_to_end(&mut text).map_err(disk("cannot read `package.json`"))?;
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
        serde_json::from_slice(text).map(Some).map_err(|error| {
            let cause = format!("`package.json` cannot be read: {error}");
            Stop::author(
                Failure::new(FailureCode::PlanSetting, cause).fix("mend the file, then deploy again"),
            )
        })
    }

    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.scripts.get(name).map(String::as_str).filter(|script| !script.trim().is_empty())
    }

    /// The major version of a dependency: the first number of its range, where that has one.
    pub(super) fn major_of(&self, dependency: &str) -> Option<u64> {
        let range = self.dependencies.get(dependency).or(self.dev_dependencies.get(dependency))?.as_str()?;
        let number = range.trim_start_matches(|character: char| !character.is_ascii_digit());
        number.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
    }

    /// The range of versions of Node.js that it wants.
    pub(super) fn node_engine(&self) -> Option<&str> {
        self.engines.get("node")?.as_str()
    }

    /// The version of Node.js that volta would use.
    pub(super) fn node_of_volta(&self) -> Option<&str> {
        self.volta.get("node")?.as_str()
    }

    /// The patterns of the directories of its workspace, if it is the root of one.
    pub(super) fn workspaces(&self) -> Vec<String> {
        let list = self.workspaces.as_array().or_else(|| self.workspaces.get("packages")?.as_array());
        list.into_iter().flatten().filter_map(|pattern| pattern.as_str().map(str::to_owned)).collect()
    }

    pub(super) fn needs(&self, dependency: &str) -> bool {
        self.dependencies.contains_key(dependency) || self.dev_dependencies.contains_key(dependency)
    }
}

/// Opens a file of the tree at `source`. What leads out of it, or is no plain file and could block whoever opens
/// it, is not opened.
pub(super) fn open_inside(source: &Path, path: &Path) -> Option<std::fs::File> {
    let (source, real) = (source.canonicalize().ok()?, path.canonicalize().ok()?);
    let is_file = real.starts_with(source) && real.metadata().ok()?.is_file();
    is_file.then(|| std::fs::File::open(real).ok()).flatten()
}
