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
        topmost(made.map(|(directory, _)| directory).filter(|directory| directory != root))
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
            Ok(real) if real.is_dir() => {
                let is_preset = matches!(output, Output::Preset(_));
                let nested = is_preset.then(|| nested(&real)).flatten();
                let Some(nested) = nested else { return Ok(Found { directory: real, notice: None }) };
                let name = format!("{}/{}", named.trim_matches('/'), shown(&nested, &real));
                let notice = format!(
                    "`{named}` has no `index.html`, so the output is `{name}`, the only directory in it that has one; {}",
                    save(&name)
                );
                return Ok(Found { directory: nested, notice: Some(notice) });
            }
            _ => {}
        }
    }
    let made = before.made_since(root);
    let shown = |directory: &Path| shown(directory, root);
    match (output, made.as_slice()) {
        (Output::Setting(setting), made) => Err(missing(Some(setting), made.first().map(|made| shown(made)))),
        (_, [only]) => {
            let name = shown(only);
            let lacking = match output {
                Output::Preset(preset) => format!("there is no `{preset}`; the output was found in"),
                _ => "the output was found in".to_owned(),
            };
            let notice = format!(
                "{lacking} `{name}`, the only directory with an `index.html` that the build made; {}",
                save(&name)
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

/// The only directory below `directory` with an `index.html`, where that has none itself: some tools make one for each
/// application, or for what goes to browsers. Other pages on the way to it are those of a site without a front page.
fn nested(directory: &Path) -> Option<PathBuf> {
    let found = topmost(Snapshot::of(directory).0.into_keys());
    let [only] = found.as_slice() else { return None };
    let mut above = only.ancestors().skip(1).take_while(|above| above.starts_with(directory));
    (only != directory && !above.any(has_pages)).then(|| only.clone())
}

fn has_pages(directory: &Path) -> bool {
    let mut entries = directory.read_dir().into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().ends_with(".html"))
}

/// Of these directories, which are in order, those that lie in no other.
fn topmost(directories: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut topmost: Vec<PathBuf> = Vec::new();
    for directory in directories {
        if !topmost.iter().any(|above| directory.starts_with(above)) {
            topmost.push(directory);
        }
    }
    topmost
}

fn shown(directory: &Path, root: &Path) -> String {
    directory.strip_prefix(root).unwrap_or(directory).display().to_string()
}

/// What makes the next build sure of the output directory.
fn save(name: &str) -> String {
    let setting = toml::Value::from(name);
    format!("to be sure of it, write `output = {setting}` below `[build]` in the project's `gitdeploy.toml`")
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
    fn of_a_preset_the_one_directory_with_a_page_is_used() {
        let tree = Tree::new();
        let before = tree.snapshot();
        let dist = Output::Preset("dist".to_owned());
        tree.page("dist/app/browser");
        tree.page("dist/app/browser/about");
        assert_eq!(tree.find(&dist, &before), Ok("dist/app/browser".to_owned()));
        let notice = find(tree.0.path(), &dist, &before).unwrap().notice.unwrap();
        assert!(notice.contains("`output = \"dist/app/browser\"` below `[build]`"), "{notice}");
        assert_eq!(tree.find(&Output::Setting("dist".to_owned()), &before), Ok("dist".to_owned()));
        let lost = tree.0.path().join("dist/404.html");
        std::fs::write(&lost, "a site without a front page").unwrap();
        assert_eq!(tree.find(&dist, &before), Ok("dist".to_owned()));
        std::fs::remove_file(lost).unwrap();
        tree.page("dist/other/browser");
        assert_eq!(tree.find(&dist, &before), Ok("dist".to_owned()));
        tree.page("dist");
        assert_eq!(tree.find(&dist, &before), Ok("dist".to_owned()));
        assert_eq!(find(tree.0.path(), &dist, &before).unwrap().notice, None);
    }

    #[test]
    fn what_was_found_says_which_setting_makes_sure_of_it() {
        let tree = Tree::new();
        let before = tree.snapshot();
        tree.page("made \"here\"");
        let notice = |output| find(tree.0.path(), output, &before).unwrap().notice.unwrap();
        let discovered = notice(&Output::Discover);
        assert!(discovered.contains("write `output = 'made \"here\"'` below `[build]`"), "{discovered}");
        let instead = notice(&Output::Preset("dist".to_owned()));
        assert!(instead.starts_with("there is no `dist`; the output was found in `made"), "{instead}");
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
