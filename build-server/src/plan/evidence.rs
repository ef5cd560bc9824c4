//! What tells that something is used in a project: a dependency, a file, what a file says, or the build script.

use std::fmt;

use regex::Regex;
use serde::Deserialize;

use super::tree::Tree;

/// One thing that may hold of a project. In data: `dep vite`, `file hugo.toml`, `text config.toml REGEX` and
/// `script vite build`. A file's name may have one `*`, and `{dir}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Evidence {
    /// The package needs another one.
    Dependency(String),
    /// There is a file.
    File(String),
    /// A file has a pattern.
    Text(String, Regex),
    /// The `build` script contains a text.
    Script(String),
}

/// That something holds, and the file that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) because: String,
    pub(super) file: String,
}

impl Evidence {
    /// Whether it holds of a project, with `directory` in the place of `{dir}`.
    pub(super) fn holds(&self, tree: &Tree<'_>, directory: &str) -> Option<Proof> {
        let package = || "package.json".to_owned();
        match self {
            Self::Dependency(name) => tree
                .package?
                .needs(name)
                .then(|| Proof { because: format!("the package needs `{name}`"), file: package() }),
            Self::File(name) => {
                let file = tree.files(&name.replace("{dir}", directory)).into_iter().next()?;
                Some(Proof { because: format!("there is `{file}`"), file })
            }
            Self::Text(name, pattern) => {
                let mut files = tree.files(&name.replace("{dir}", directory)).into_iter();
                let file = files.find(|file| tree.text(file).is_some_and(|text| pattern.is_match(&text)))?;
                Some(Proof { because: format!("`{file}` says so"), file })
            }
            Self::Script(text) => tree
                .package?
                .script("build")?
                .contains(text.as_str())
                .then(|| Proof { because: format!("the `build` script runs `{text}`"), file: package() }),
        }
    }
}

impl TryFrom<String> for Evidence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (kind, rest) = text.split_once(' ').ok_or_else(|| format!("`{text}` is no evidence"))?;
        match kind {
            "dep" => Ok(Self::Dependency(rest.to_owned())),
            "file" => Ok(Self::File(rest.to_owned())),
            "script" => Ok(Self::Script(rest.to_owned())),
            "text" => {
                let (file, pattern) =
                    rest.split_once(' ').ok_or_else(|| format!("`{text}` has no pattern"))?;
                let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
                Ok(Self::Text(file.to_owned(), pattern))
            }
            _ => Err(format!("`{kind}` is no kind of evidence")),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependency(name) => write!(formatter, "dep {name}"),
            Self::File(name) => write!(formatter, "file {name}"),
            Self::Text(file, pattern) => write!(formatter, "text {file} {pattern}"),
            Self::Script(text) => write!(formatter, "script {text}"),
        }
    }
}

impl PartialEq for Evidence {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}
