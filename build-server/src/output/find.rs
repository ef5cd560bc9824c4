//! Finds the output directory after the build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gitdeploy_core::{Failure, FailureCode};

use crate::plan::Output;
use crate::stop::Stop;

/// How many directories deep an output directory is looked for.
const DEPTH: usize = 3;

/// The directories with an `index.html`, and when that was written: the state before a build.
#[derive(Debug)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, Option<SystemTime>>);

/// The output directory, as a whole path, and what the author should know about how it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) directory: PathBuf,
    pub(crate) notice: Option<String>,
}

impl Snapshot {
    /// Looks at the tree at `root`.
    pub(crate) fn of(root: &Path) -> Self {
        let mut found = BTreeMap::new();
        collect(root, DEPTH, &mut found);
        Self(found)
    }

    /// The topmost directories below `root` with an `index.html` that was not there before, or was another.
    fn made_since(&self, root: &Path) -> Vec<PathBuf> {
        let now = Self::of(root).0;
        let made = now.into_iter().filter(|(directory, written)| self.0.get(directory) != Some(written));
        let mut topmost: Vec<PathBuf> = Vec::new();
        for (directory, _) in made {
            if directory != root && !topmost.iter().any(|above| directory.starts_with(above)) {
                topmost.push(directory);
            }
        }
        topmost
    }
}

fn collect(directory: &Path, depth: usize, found: &mut BTreeMap<PathBuf, Option<SystemTime>>) {
    if let Ok(meta) = directory.join("index.html").metadata() {
        found.insert(directory.to_owned(), meta.modified().ok());
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in directory.read_dir().into_iter().flatten().flatten() {
        let skipped = entry.file_name() == "node_modules" || entry.file_name() == ".git";
        // `file_type` does not follow links.
        if !skipped && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), depth, found);
        }
    }
}

/// The output directory of the project at `root`, which the build has just left.
pub(crate) fn find(root: &Path, output: &Output, before: &Snapshot) -> Result<Found, Stop> {
    let named = match output {
        Output::Root => return Ok(Found { directory: root.to_owned(), notice: None }),
        Output::Setting(setting) => Some(setting.as_str()),
        Output::Preset(preset) => Some(preset.as_str()),
        Output::Discover => None,
    };
    if let Some(named) = named {
        let directory = root.join(named.trim_matches('/'));
        match directory.canonicalize() {
            Ok(real) if !inside(&real, root) => return Err(outside(named)),
            Ok(real) if real.is_dir() => return Ok(Found { directory: real, notice: None }),
            _ => {}
        }
    }
    let made = before.made_since(root);
    let shown = |directory: &Path| directory.strip_prefix(root).unwrap_or(directory).display().to_string();
    match (output, made.as_slice()) {
        (Output::Setting(setting), made) => Err(missing(Some(setting), made.first().map(|made| shown(made)))),
        (_, [only]) => {
            let name = shown(only);
            let notice = format!(
                "the output was found in `{name}`, the only directory with an `index.html` that the build made; save `--output {name}` to be sure"
            );
            Ok(Found { directory: only.clone(), notice: Some(notice) })
        }
        (_, []) => Err(missing(named, None)),
        (_, several) => {
            let listed: Vec<_> = several.iter().map(|made| format!("`{}`", shown(made))).collect();
            let cause =
                format!("the build made several directories that may be the site: {}", listed.join(", "));
            let fix = "name the right one with `--output`";
            Err(Stop::author(Failure::new(FailureCode::OutputMissing, cause).fix(fix)))
        }
    }
}

fn inside(directory: &Path, root: &Path) -> bool {
    root.canonicalize().is_ok_and(|root| directory.starts_with(root))
}

fn missing(named: Option<&str>, instead: Option<String>) -> Stop {
    let cause = match named {
        Some(named) => format!("the build made no directory `{named}`"),
        None => "the build made no directory with an `index.html`".to_owned(),
    };
    let fix = instead.map_or_else(
        || "name the directory that the build writes with `--output`".to_owned(),
        |instead| format!("it made `{instead}`: deploy with `--output {instead}`"),
    );
    Stop::author(Failure::new(FailureCode::OutputMissing, cause).fix(fix))
}

fn outside(named: &str) -> Stop {
    let cause = format!("the output directory `{named}` lies outside of the project");
    Stop::author(
        Failure::new(FailureCode::OutputLink, cause).fix("write the site into the project's directory"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn page(&self, directory: &str) {
            let directory = self.0.path().join(directory);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("index.html"), "hi").unwrap();
        }

        fn find(&self, output: &Output, before: &Snapshot) -> Result<String, FailureCode> {
            let found = find(self.0.path(), output, before).map_err(|stop| stop.failure.code)?;
            let root = self.0.path().canonicalize().unwrap();
            let directory = found.directory.canonicalize().unwrap();
            Ok(directory.strip_prefix(root).unwrap().display().to_string())
        }

        fn snapshot(&self) -> Snapshot {
            Snapshot::of(self.0.path())
        }
    }

    #[test]
    fn the_directory_that_the_build_made_is_found() {
        let tree = Tree::new();
        tree.page("examples");
        let before = tree.snapshot();
        assert_eq!(tree.find(&Output::Discover, &before), Err(FailureCode::OutputMissing));
        tree.page("www/site");
        tree.page("www/site/about");
        tree.page("node_modules/x");
        assert_eq!(tree.find(&Output::Discover, &before), Ok("www/site".to_owned()));
        assert_eq!(tree.find(&Output::Preset("dist".to_owned()), &before), Ok("www/site".to_owned()));
        tree.page("other");
        assert_eq!(tree.find(&Output::Discover, &before), Err(FailureCode::OutputMissing));
        tree.page("dist");
        assert_eq!(tree.find(&Output::Preset("dist".to_owned()), &before), Ok("dist".to_owned()));
    }

    #[test]
    fn a_setting_is_taken_at_its_word() {
        let tree = Tree::new();
        let before = tree.snapshot();
        tree.page("www");
        let setting = |text: &str| Output::Setting(text.to_owned());
        assert_eq!(tree.find(&setting("www"), &before), Ok("www".to_owned()));
        assert_eq!(tree.find(&setting("./www/"), &before), Ok("www".to_owned()));
        assert_eq!(tree.find(&setting("dist"), &before), Err(FailureCode::OutputMissing));
        assert_eq!(tree.find(&setting(".."), &before), Err(FailureCode::OutputLink));
        std::os::unix::fs::symlink("/etc", tree.0.path().join("etc")).unwrap();
        assert_eq!(tree.find(&setting("etc"), &before), Err(FailureCode::OutputLink));
    }
}
