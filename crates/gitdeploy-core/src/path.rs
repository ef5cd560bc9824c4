//! Paths of files within a site.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A file's path within a site: `/`-separated, relative, without empty, `.` or `..` segments and without
/// control characters. It can be appended to a key or a directory and never leads out of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SitePath(Arc<str>);

/// Why a text is no path of a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path has a segment that is empty, `.` or `..`.
    #[error("an empty segment, `.` or `..` stands in the path")]
    Segment,
    /// The path has a control character, which no store keeps faithfully.
    #[error("a control character stands in the path")]
    Control,
    /// The path is longer than S3 allows for a key, less what we put before it.
    #[error("the path is longer than {LONGEST} bytes")]
    TooLong,
}

/// The longest path, in bytes: S3 keys have at most 1,024, and 124 are left for the prefixes of `keys`.
pub const LONGEST: usize = 900;

impl SitePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file name: the last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.as_str(), |(_, name)| name)
    }
}

impl FromStr for SitePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > LONGEST {
            return Err(PathError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(PathError::Segment);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for SitePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<SitePath> for String {
    fn from(path: SitePath) -> Self {
        path.as_str().to_owned()
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// So that a map of paths can be asked with a plain text.
impl std::borrow::Borrow<str> for SitePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_inside_are_paths() {
        for good in ["index.html", "a/b/c", ".well-known/x", "a b", "ü", "...", "%2e%2e", "a\\..\\b"] {
            assert!(good.parse::<SitePath>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b", "a\nb", &"x".repeat(901)] {
            assert!(bad.parse::<SitePath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_file_name_is_the_last_segment() {
        assert_eq!("a/b.css".parse::<SitePath>().unwrap().file_name(), "b.css");
        assert_eq!("b.css".parse::<SitePath>().unwrap().file_name(), "b.css");
    }
}
