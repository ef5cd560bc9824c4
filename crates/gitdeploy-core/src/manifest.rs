//! What a published deployment consists of. It is written last: it exists exactly when all files do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::ids::{Attempt, OutputId, ProjectId};
use crate::keys::{self, Key};
use crate::path::SitePath;
use crate::rules::{HeaderRule, Problem, Redirect, Serve};

/// The version that this code writes. A reader passes over fields that it does not know.
pub const VERSION: u32 = 1;

/// The largest manifest that is written and read, in bytes of JSON: 50,000 files need about a fifth of it.
pub const LARGEST: u64 = 64 << 20;

/// The files of a deployment and where they came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub version: u32,
    /// What the files are filed under.
    pub id: OutputId,
    /// The attempt that published it.
    pub attempt: Attempt,
    /// Every file of the site by its path.
    pub files: BTreeMap<SitePath, File>,
    /// The project, whose route says who may see the site. Manifests of earlier builders have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// Where the site came from.
    #[serde(default)]
    pub origin: Origin,
    /// What the author says about redirects, headers and serving.
    #[serde(flatten)]
    pub rules: Rules,
    /// The builder's name and version.
    pub builder: String,
    /// When the build began; in milliseconds since 1970 on the wire.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub started: Timestamp,
    /// When the last file was uploaded; in milliseconds since 1970 on the wire.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub finished: Timestamp,
}

/// What the author of a site says about how it is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Where requests lead instead, in the order of the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<Redirect>,
    /// What is done to the headers of answers, in the order of the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRule>,
    /// What is wrong in the files of rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The settings of serving.
    #[serde(default, skip_serializing_if = "Serve::is_default")]
    pub serve: Serve,
}

/// One file of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its size.
    pub bytes: u64,
    /// The hash of its content: what its validator for visitors is made of.
    pub sha256: Sha256,
    /// What the store calls this content of the object, with its quotes: what `If-Match` asks for.
    pub etag: String,
    /// The value of `Content-Type`.
    pub content_type: String,
    /// Compressed copies by their encoding.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<Encoding, Variant>,
    /// How long a visitor may keep it.
    #[serde(default, skip_serializing_if = "Caching::is_revalidate")]
    pub cache: Caching,
    /// What a page needs at once, for browsers that begin to load it before they have read the page: the value of
    /// `Link` (RFC 8288).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Set while the file replaces one in place: the attempt under whose staged key it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Attempt>,
}

/// A compressed copy of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its size.
    pub bytes: u64,
    /// The hash of what it consists of; manifests that were written before it was noted have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// What the store calls this content of the object, with its quotes: what `If-Match` asks for.
    pub etag: String,
}

/// The encodings of compressed copies, in the order in which they are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Brotli (RFC 7932).
    Br,
    /// Zstandard (RFC 8878).
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
}

impl Encoding {
    /// Every encoding, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Br, Self::Zstd, Self::Gzip];

    /// The name in `Content-Encoding`, in keys and in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// How long a visitor may keep a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Caching {
    /// For ever: its name changes with its content.
    Immutable,
    /// Until it is asked for again.
    #[default]
    Revalidate,
}

impl Caching {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks it so")]
    fn is_revalidate(&self) -> bool {
        *self == Self::Revalidate
    }
}

/// The longest first line of a commit's message that is kept, in characters.
const LONGEST_SUMMARY: usize = 200;

/// The first line of a commit's message as it is kept: cut where it is long, and without control characters.
pub fn summary(line: &str) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    line.chars().map(plain).take(LONGEST_SUMMARY).collect()
}

/// Where a site came from, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The repository's address, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The commit, as 40 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of the commit's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Manifest {
    /// The object that holds the file at `path`.
    pub fn key_of(&self, path: &SitePath, file: &File) -> Key {
        match file.staged {
            Some(attempt) => keys::staged(&self.id, attempt, path),
            None => keys::output(&self.id, path),
        }
    }

    /// The size of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = File {
            bytes: 5,
            sha256: Sha256::of(b"hello"),
            etag: "\"5d41402a\"".to_owned(),
            content_type: "text/html; charset=utf-8".to_owned(),
            variants: BTreeMap::new(),
            cache: Caching::Revalidate,
            link: None,
            staged: None,
        };
        Manifest {
            version: VERSION,
            id: "blog".parse().unwrap(),
            attempt: Attempt::FIRST,
            files: BTreeMap::from([("index.html".parse().unwrap(), file)]),
            project: Some("blog".parse().unwrap()),
            origin: Origin { commit: Some("9f3c1e2".to_owned()), ..Origin::default() },
            rules: Rules::default(),
            builder: "build-server 0.0.0".to_owned(),
            started: Timestamp::from_millisecond(1).unwrap(),
            finished: Timestamp::from_millisecond(2).unwrap(),
        }
    }

    #[test]
    fn a_manifest_survives_json() {
        let json = serde_json::to_string(&manifest()).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest());
    }

    #[test]
    fn a_summary_is_short_and_plain() {
        assert_eq!(summary("fix:\ttabs\u{1b}[2J ü"), "fix: tabs [2J ü");
        assert_eq!(summary(&"ü".repeat(100_000)).chars().count(), LONGEST_SUMMARY);
    }

    #[test]
    fn a_path_out_of_the_site_is_refused() {
        let json = serde_json::to_string(&manifest()).unwrap().replace("index.html", "../index.html");
        assert!(serde_json::from_str::<Manifest>(&json).is_err());
    }

    #[test]
    fn a_staged_file_is_found_at_its_staged_key() {
        let mut manifest = manifest();
        let path: SitePath = "index.html".parse().unwrap();
        let mut file = manifest.files.remove(&path).unwrap();
        assert_eq!(manifest.key_of(&path, &file).as_str(), "__outputs/blog/index.html");
        file.staged = Some(Attempt(9));
        assert_eq!(manifest.key_of(&path, &file).as_str(), "__staged/blog/9/index.html");
    }
}
