//! The files of a project as a plan reads them: bounded, and none from outside of the repository.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::package::{Package, open_inside};

/// How much of a file is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// How many entries of a directory are looked at for a name with a `*`.
const MOST_ENTRIES: usize = 10_000;

/// A project in a source tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree<'a> {
    /// The whole tree, out of which nothing leads.
    pub(super) source: &'a Path,
    /// The project's directory.
    pub(super) root: &'a Path,
    /// Its `package.json`.
    pub(super) package: Option<&'a Package>,
}

impl Tree<'_> {
    /// The files of this name, relative to the project's directory and in order. A `*` in the last segment stands
    /// for any text.
    pub(super) fn files(&self, name: &str) -> Vec<String> {
        let name = name.strip_prefix("./").unwrap_or(name);
        let (directory, last) = name.rsplit_once('/').unwrap_or(("", name));
        let Some((before, after)) = last.split_once('*') else {
            let found = open_inside(self.source, &self.root.join(name)).is_some();
            return found.then(|| name.to_owned()).into_iter().collect();
        };
        let entries = self.inside(directory).and_then(|directory| directory.read_dir().ok());
        let mut found: Vec<_> = entries
            .into_iter()
            .flatten()
            .take(MOST_ENTRIES)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|entry| {
                entry.len() >= before.len() + after.len()
                    && entry.starts_with(before)
                    && entry.ends_with(after)
            })
            .map(|entry| if directory.is_empty() { entry } else { format!("{directory}/{entry}") })
            .filter(|file| open_inside(self.source, &self.root.join(file)).is_some())
            .collect();
        found.sort();
        found
    }

    /// What a file says, without the comments of a script.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.whole_text(name)?;
        let is_script = ["js", "cjs", "mjs", "ts", "cts", "mts"]
            .contains(&name.rsplit_once('.').map_or("", |(_, extension)| extension));
        Some(if is_script { without_comments(&text) } else { text })
    }

    /// What a file says, up to a bound.
    pub(super) fn whole_text(&self, name: &str) -> Option<String> {
        let mut text = Vec::new();
        open_inside(self.source, &self.root.join(name))?.take(LARGEST).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).trim_start_matches('\u{feff}').to_owned())
    }

    /// Whether the project has this file or directory.
    pub(super) fn has(&self, name: &str) -> bool {
        self.inside(name).is_some()
    }

    /// What a file of the project is called in the repository.
    pub(super) fn named(&self, file: &str) -> String {
        named(self.source, self.root, file)
    }

    fn inside(&self, name: &str) -> Option<PathBuf> {
        let real = self.root.join(name).canonicalize().ok()?;
        real.starts_with(self.source.canonicalize().ok()?).then_some(real)
    }
}

/// What `file` in a `directory` of the tree at `source` is called in the repository.
pub(super) fn named(source: &Path, directory: &Path, file: &str) -> String {
    let below = directory.strip_prefix(source).unwrap_or(Path::new(""));
    below.join(file.trim_start_matches("./")).display().to_string()
}

/// A `//` after a colon or a quote is the middle of an address.
fn without_comments(text: &str) -> String {
    static COMMENTS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?s:/\*.*?\*/)|(?m:(^|[^:"'`])//[^\n]*$)"#).expect("it is valid"));
    COMMENTS.replace_all(text, "$1").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_say_nothing() {
        assert_eq!(without_comments("a // output: 'export'\nb"), "a \nb");
        assert_eq!(without_comments("a /* output:\n'export' */ b"), "a  b");
        assert_eq!(without_comments("url: 'https://host'"), "url: 'https://host'");
    }

    #[test]
    fn files_are_found_by_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["next.config.mjs", "next.config.ts", "docs/.vitepress/config.ts", "mkdocs.yml"] {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::fs::write(root.join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", root.join("next.config.js")).unwrap();
        let tree = Tree { source: root, root, package: None };
        assert_eq!(tree.files("next.config.*"), ["next.config.mjs", "next.config.ts"]);
        assert_eq!(tree.files("docs/.vitepress/config.*"), ["docs/.vitepress/config.ts"]);
        assert_eq!(tree.files("./mkdocs.y*ml"), ["mkdocs.yml"]);
        assert_eq!(tree.files("../*"), [""; 0]);
        assert!(tree.has("docs/.vitepress") && !tree.has("none") && !tree.has("next.config.js"));
    }
}
