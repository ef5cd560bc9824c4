//! When the `node_modules` that npm has made can be used again instead of being made again.
//!
//! `npm ci` begins with removing `node_modules`. `npm install` compares what is there with the lockfile and has
//! nothing to do if they agree, which takes a fraction of the time. It is the same to the build only if nothing
//! but the unpacking of packages has made what is there.

use std::path::Path;

use gitdeploy_core::hash::Sha256;
use rustix::fs::Stat;
use serde_json::Value;

use super::pack::Verdict;
use super::parts::{hash, read};
use crate::plan::Packages;

/// What is run instead of `npm ci` where `node_modules` was restored.
pub(super) const AGAIN: &str = "npm install --no-audit --no-fund";

/// What `node_modules` depends on: the lockfile, the package and its settings for npm. There is no key for one that
/// cannot be used again.
pub(super) fn modules_key(packages: &Packages) -> Option<Sha256> {
    let lockfile = packages.lockfile.as_deref()?;
    if packages.manager != "npm" || !only_unpacks(&read(lockfile)?) {
        return None;
    }
    let settings = packages.directory.join(".npmrc");
    let package = packages.directory.join("package.json");
    let mut files: Vec<&Path> = vec![lockfile, &package];
    if settings.symlink_metadata().is_ok() {
        files.push(&settings);
    }
    hash(&files)
}

/// Whether installing from this lockfile does nothing but unpack packages into `node_modules`: no package has a
/// script of its own that runs then, and none is a link to another directory of the repository.
fn only_unpacks(lockfile: &[u8]) -> bool {
    let Ok(lockfile) = serde_json::from_slice::<Value>(lockfile) else {
        return false;
    };
    let Some(packages) = lockfile.get("packages").and_then(Value::as_object) else {
        return false;
    };
    let is = |package: &Value, what: &str| package.get(what).and_then(Value::as_bool) == Some(true);
    let elsewhere = |package: &Value| {
        let here = |systems: &Value| {
            let systems = systems.as_array().into_iter().flatten().filter_map(Value::as_str);
            systems.clone().any(|system| system == "linux")
                || systems.clone().any(|system| system.starts_with('!'))
        };
        package.get("os").is_some_and(|systems| !here(systems))
    };
    packages.iter().all(|(path, package)| {
        let is_own = path.is_empty();
        let is_installed = path.starts_with("node_modules/");
        is_own
            || (is_installed
                && !is(package, "link")
                && (!is(package, "hasInstallScript") || elsewhere(package)))
    })
}

/// Judges what lies in `node_modules` after the build, which may have changed it since `installed`, a time of the
/// file system. Tools keep their caches in hidden directories there; those are not part of what was installed.
pub(super) fn judge(modules: &Path, installed: (i64, i64)) -> impl Fn(&Path, &Stat) -> Verdict {
    let modules = modules.to_owned();
    move |path: &Path, stat: &Stat| {
        let Ok(below) = path.strip_prefix(&modules) else {
            return Verdict::Keep;
        };
        let changed = (stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)) >= installed;
        let first = below.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
        let is_hidden =
            first.is_some_and(|name| name.starts_with('.') && name != ".bin" && name != ".package-lock.json");
        match (is_hidden, changed) {
            (true, _) => Verdict::LeaveOut,
            (false, true) => Verdict::Refuse,
            (false, false) => Verdict::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_with_scripts_and_links_are_installed_again() {
        for (packages, expected) in [
            (r#"{"": {"scripts": {"postinstall": "x"}}, "node_modules/a": {"version": "1.0.0"}}"#, true),
            (r#"{"node_modules/a": {"hasInstallScript": true}}"#, false),
            (r#"{"node_modules/fsevents": {"hasInstallScript": true, "os": ["darwin"]}}"#, true),
            (r#"{"node_modules/a": {"hasInstallScript": true, "os": ["darwin", "linux"]}}"#, false),
            (r#"{"node_modules/a": {"hasInstallScript": true, "os": ["!win32"]}}"#, false),
            (r#"{"node_modules/a": {"resolved": "packages/a", "link": true}}"#, false),
            (r#"{"packages/a": {"version": "1.0.0"}}"#, false),
        ] {
            let lockfile = format!(r#"{{"lockfileVersion": 3, "packages": {packages}}}"#);
            assert_eq!(only_unpacks(lockfile.as_bytes()), expected, "{packages}");
        }
        assert!(!only_unpacks(br#"{"lockfileVersion": 1, "dependencies": {}}"#));
        assert!(!only_unpacks(b"no JSON"));
    }
}
