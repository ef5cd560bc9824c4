//! Which package manager a project uses, in which version.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use gitdeploy_core::{Failure, FailureCode};

use super::Packages;
use super::package::{Package, open_inside};
use super::tree::named;
use crate::stop::Stop;

/// A package manager, and why it is this one.
#[derive(Debug)]
pub(super) struct Manager {
    kind: Kind,
    /// A version or a range of them, as npm writes it; absent: what is installed.
    version: Option<String>,
    lockfile: Option<PathBuf>,
    /// The lockfile, relative to the repository.
    lockfile_shown: Option<String>,
    /// Where it installs: the directory of the lockfile, else of the package.
    pub(super) directory: PathBuf,
    pub(super) because: String,
    /// The file that decided.
    pub(super) file: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Npm,
    Pnpm,
    YarnClassic,
    YarnBerry,
    Bun,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::YarnBerry => "yarn",
            Self::Bun => "bun",
        }
    }
}

/// The names that lockfiles have, in the order in which they count.
const LOCKFILES: &[(&str, &str)] = &[
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
];

impl Manager {
    /// The package manager of the package at `root`: its `packageManager` field, else the nearest lockfile up
    /// to `source`, else npm.
    pub(super) fn find(source: &Path, root: &Path, package: &Package) -> Result<Self, Stop> {
        let lockfile = Lockfile::nearest(source, root);
        let directory =
            lockfile.as_ref().map_or_else(|| root.to_owned(), |lockfile| lockfile.directory.clone());
        let field = package.manager.as_deref().map(parse_field).transpose()?;
        let name = field.as_ref().map(|(name, _)| name.as_str());
        let by_lockfile = lockfile.as_ref().map(|lockfile| lockfile.manager);
        let (because, file) = match (&field, &lockfile) {
            (Some(_), _) => {
                let file = named(source, root, "package.json");
                ("the `packageManager` field".to_owned(), Some(file))
            }
            (None, Some(lockfile)) => {
                let file = named(source, &lockfile.directory, lockfile.name);
                ("its lockfile".to_owned(), Some(file))
            }
            (None, None) => ("there is no lockfile".to_owned(), None),
        };
        let exact = field.as_ref().map(|(_, version)| version.clone());
        let (kind, version) = match name.or(by_lockfile).unwrap_or("npm") {
            "npm" => (Kind::Npm, None),
            "pnpm" => {
                let major = lockfile.as_ref().map_or("9", Lockfile::pnpm_major);
                (Kind::Pnpm, Some(exact.unwrap_or_else(|| major.to_owned())))
            }
            "yarn" => {
                let major = match &exact {
                    Some(version) => version.split('.').next().unwrap_or_default(),
                    None => lockfile.as_ref().map_or("1", Lockfile::yarn_major),
                };
                let kind = if major == "1" { Kind::YarnClassic } else { Kind::YarnBerry };
                let major = major.to_owned();
                (kind, Some(exact.unwrap_or(major)))
            }
            "bun" => (Kind::Bun, Some(exact.unwrap_or_else(|| "1".to_owned()))),
            other => return Err(unsupported(other)),
        };
        let its_own = match kind {
            Kind::Npm => by_lockfile == Some("npm"),
            Kind::Pnpm => by_lockfile == Some("pnpm"),
            Kind::YarnClassic | Kind::YarnBerry => by_lockfile == Some("yarn"),
            Kind::Bun => by_lockfile == Some("bun"),
        };
        let lockfile = lockfile.filter(|_| its_own);
        let lockfile_shown =
            lockfile.as_ref().map(|lockfile| named(source, &lockfile.directory, lockfile.name));
        let lockfile = lockfile.map(|lockfile| lockfile.directory.join(lockfile.name));
        Ok(Self { kind, version, lockfile, lockfile_shown, directory, because, file })
    }

    /// How it installs packages, for the cache. `ours`: with our command.
    pub(super) fn packages(&self, ours: bool) -> Packages {
        Packages {
            manager: self.kind.name(),
            lockfile: self.lockfile.clone(),
            directory: self.directory.clone(),
            ours,
            relaxed: (ours && self.kind == Kind::Npm).then_some("npm install --no-audit --no-fund"),
        }
    }

    /// The name and the version, as people write them.
    pub(super) fn name(&self) -> String {
        let name = self.kind.name();
        self.version.as_ref().map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
    }

    /// The npm package that brings it.
    pub(super) fn package(&self) -> Option<String> {
        let package = match self.kind {
            Kind::Npm => return None,
            Kind::Pnpm => "pnpm",
            Kind::YarnClassic => "yarn",
            Kind::YarnBerry => "@yarnpkg/cli-dist",
            Kind::Bun => "bun",
        };
        Some(format!("{package}@{}", self.version.as_deref().unwrap_or("latest")))
    }

    pub(super) fn install(&self) -> &'static str {
        match (self.kind, self.lockfile.is_some()) {
            (Kind::Npm, true) => "npm ci --no-audit --no-fund",
            (Kind::Npm, false) => "npm install --no-audit --no-fund",
            (Kind::Pnpm, true) => "pnpm install --frozen-lockfile --prefer-offline",
            (Kind::Pnpm, false) => "pnpm install --no-frozen-lockfile",
            (Kind::YarnClassic, true) => "yarn install --frozen-lockfile --non-interactive",
            (Kind::YarnClassic, false) => "yarn install --non-interactive",
            (Kind::YarnBerry, true) => "yarn install --immutable",
            (Kind::YarnBerry, false) => "yarn install --no-immutable",
            (Kind::Bun, true) => "bun install --frozen-lockfile",
            (Kind::Bun, false) => "bun install",
        }
    }

    /// Why it installs so, and the file that tells.
    pub(super) fn install_because(&self) -> (&'static str, Option<String>) {
        match &self.lockfile_shown {
            Some(file) => ("it installs what the lockfile says", Some(file.clone())),
            None => ("there is no lockfile of it", None),
        }
    }

    pub(super) fn build(&self) -> &'static str {
        match self.kind {
            Kind::Npm => "npm run build",
            Kind::Pnpm => "pnpm run build",
            Kind::YarnClassic | Kind::YarnBerry => "yarn run build",
            Kind::Bun => "bun run build",
        }
    }

    /// What runs a program of the installed packages.
    pub(super) fn exec(&self) -> &'static str {
        match self.kind {
            Kind::Npm => "npx --no-install",
            Kind::Pnpm => "pnpm exec",
            Kind::YarnClassic | Kind::YarnBerry => "yarn run",
            Kind::Bun => "bun x --no-install",
        }
    }
}

#[derive(Debug)]
struct Lockfile {
    directory: PathBuf,
    name: &'static str,
    manager: &'static str,
    /// Its first lines, which tell the version of the format.
    head: String,
}

impl Lockfile {
    fn nearest(source: &Path, root: &Path) -> Option<Self> {
        let source = source.canonicalize().ok()?;
        let root = root.canonicalize().ok()?;
        root.ancestors().take_while(|directory| directory.starts_with(&source)).find_map(|directory| {
            LOCKFILES.iter().find_map(|(name, manager)| {
                let file = open_inside(&source, &directory.join(name))?;
                let mut head = Vec::new();
                file.take(1024).read_to_end(&mut head).ok()?;
                let head = String::from_utf8_lossy(&head).into_owned();
                Some(Self { directory: directory.to_owned(), name, manager, head })
            })
        })
    }

    /// pnpm 7 writes format 5, pnpm 8 writes 6, later ones write 9.
    fn pnpm_major(&self) -> &'static str {
        let version = self.head.lines().find_map(|line| line.strip_prefix("lockfileVersion:"));
        match version.map(|version| version.trim().trim_matches(['\'', '"'])) {
            Some(version) if version.starts_with("5.") => "7",
            Some(version) if version.starts_with("6.") => "8",
            _ => "9",
        }
    }

    /// Only yarn 2 and later write `__metadata`; the format is 4 or 5, 6 or 7, and 8 for the majors 2, 3 and 4.
    fn yarn_major(&self) -> &'static str {
        let Some((_, metadata)) = self.head.split_once("__metadata:") else {
            return "1";
        };
        let version = metadata.lines().find_map(|line| line.trim().strip_prefix("version:"));
        match version.map(str::trim) {
            Some("4" | "5") => "2",
            Some("6" | "7") => "3",
            _ => "4",
        }
    }
}

/// `name@version`, without the hash that may follow.
fn parse_field(field: &str) -> Result<(String, String), Stop> {
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    let field = field.split('+').next().unwrap_or_default();
    match field.split_once('@') {
        Some((name, version)) if plain(name) && plain(version) => Ok((name.to_owned(), version.to_owned())),
        _ => {
            let cause = "the `packageManager` field of `package.json` is not `name@version`";
            let fix = "write it such as `pnpm@9.15.0`";
            Err(Stop::author(Failure::new(FailureCode::PlanSetting, cause).fix(fix)))
        }
    }
}

fn unsupported(name: &str) -> Stop {
    let cause = format!("the package manager `{name}` is not supported");
    let fix =
        "commit a lockfile of npm, pnpm or yarn, or name both commands with `--install` and `--command`";
    Stop::author(Failure::new(FailureCode::PlanToolMissing, cause).fix(fix))
}
