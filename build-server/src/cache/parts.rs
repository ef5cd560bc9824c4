//! What of a build is worth keeping: which directories, and under which names they are found again.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use gitdeploy_core::hash::{Hasher, Sha256};

use super::npm;
use crate::plan::{Output, Packages, Plan};

/// How large a lockfile may be that is read, in bytes.
const LARGEST_LOCKFILE: u64 = 64 << 20;

/// Something that is kept in an archive of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// What the newest archive of its kind is found under.
    pub(super) name: String,
    /// What the packages in it are installed from; absent: it has none.
    pub(super) key: Option<Sha256>,
    /// Relative to the workspace.
    pub(super) directories: Vec<String>,
}

/// What a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `node_modules` as it was installed.
    Modules,
    /// What the package manager has downloaded.
    Downloads,
    /// What the framework remembers of its last build.
    Framework,
}

impl Part {
    /// What an archive is found under that was made for just this key.
    pub(super) fn exact_name(&self) -> Option<String> {
        self.key.map(|key| format!("{}-{}", self.name, &key.to_string()[..32]))
    }

    /// What is in it, for people.
    pub(super) fn title(&self) -> &'static str {
        match self.kind {
            Kind::Modules => "the installed packages",
            Kind::Downloads => "the downloads of the package manager",
            Kind::Framework => "the cache of the framework",
        }
    }

    /// The name with the key, as the plan shows it.
    pub(super) fn shown(&self) -> String {
        match self.key {
            Some(key) => format!("{}-{}", self.name, &key.to_string()[..12]),
            None => self.name.clone(),
        }
    }
}

/// The parts of a build.
pub(super) fn parts(workspace: &Path, plan: &Plan) -> Vec<Part> {
    let node = node_major(plan).map(|major| format!("-node{major}")).unwrap_or_default();
    let platform = format!("{node}-{}", std::env::consts::ARCH);
    let mut parts = Vec::new();
    if let Some(packages) = &plan.packages {
        let manager = packages.manager;
        if packages.ours
            && let Some(key) = npm::modules_key(packages)
            && let Some(directory) = relative(workspace, &packages.directory.join("node_modules"))
        {
            let name = format!("modules-{manager}{platform}");
            parts.push(Part { kind: Kind::Modules, name, key: Some(key), directories: vec![directory] });
        }
        let directories: Vec<_> =
            downloads(packages).iter().map(|directory| format!("home/{directory}")).collect();
        if !directories.is_empty() {
            let name = format!("downloads-{manager}{platform}");
            let key = packages.lockfile.as_deref().and_then(|lockfile| hash(&[lockfile]));
            parts.push(Part { kind: Kind::Downloads, name, key, directories });
        }
    }
    if plan.install.as_ref().is_some_and(|install| install.line.contains("pip ")) {
        let name = format!("downloads-pip{platform}");
        let key = hash(&[&plan.root.join("requirements.txt")]);
        let directories = vec!["home/.cache/pip".to_owned()];
        parts.push(Part { kind: Kind::Downloads, name, key, directories });
    }
    let directories: Vec<_> = plan
        .preset
        .iter()
        .flat_map(|preset| &preset.cache_dirs)
        .filter(|directory| !has_output(directory, &plan.output))
        .filter_map(|directory| relative(workspace, &plan.root.join(directory)))
        .collect();
    if !directories.is_empty() {
        let name = format!("framework{platform}");
        parts.push(Part { kind: Kind::Framework, name, key: None, directories });
    }
    parts
}

/// Whether what is published lies in a directory. What an earlier build has left there would be published too.
fn has_output(directory: &str, output: &Output) -> bool {
    let (Output::Setting(output) | Output::Preset(output)) = output else { return false };
    let output = Path::new(output.trim_matches('/'));
    output.strip_prefix(".").unwrap_or(output).starts_with(directory)
}

/// The major version of Node.js that the plan has decided on.
fn node_major(plan: &Plan) -> Option<u32> {
    let version = plan.decisions.node.value.as_deref()?;
    let digits = version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    digits.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// Where package managers keep what they download, relative to the home directory. A manager that is itself brought
/// by npm needs what npm has downloaded too.
fn downloads(packages: &Packages) -> &'static [&'static str] {
    match packages.manager {
        "npm" => &[".npm/_cacache"],
        "pnpm" => &[".npm/_cacache", ".local/share/pnpm/store"],
        "yarn" => &[".npm/_cacache", ".cache/yarn", ".yarn/berry/cache"],
        "bun" => &[".npm/_cacache", ".bun/install/cache"],
        _ => &[],
    }
}

/// The hash of what is in these files, if they can be read. Their names are of our choice, but what is in a
/// repository may be a link to anywhere.
pub(super) fn hash(files: &[&Path]) -> Option<Sha256> {
    let mut hasher = Hasher::default();
    for file in files {
        let content = read(file)?;
        hasher.update(&(content.len() as u64).to_le_bytes());
        hasher.update(&content);
    }
    Some(hasher.finish())
}

/// The content of a file that is no link, if it is not too large for a lockfile.
pub(super) fn read(file: &Path) -> Option<Vec<u8>> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(file, flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    file.take(LARGEST_LOCKFILE + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 <= LARGEST_LOCKFILE).then_some(content)
}

/// A path below the workspace, as archives name it.
fn relative(workspace: &Path, path: &Path) -> Option<String> {
    use std::path::Component;
    let below = path.strip_prefix(workspace).ok()?;
    let is_plain = below.components().all(|component| matches!(component, Component::Normal(_)));
    below.to_str().filter(|text| is_plain && !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_not_kept() {
        let output = |name: &str| Output::Setting(name.to_owned());
        assert!(has_output("public", &output("public")));
        assert!(has_output("target", &output("./target/site/")));
        assert!(has_output("public", &Output::Preset("public".to_owned())));
        assert!(!has_output("public", &output("publications")));
        assert!(!has_output(".cache", &Output::Discover));
    }
}
