//! The only place that spells a key of the object store.

use std::fmt;

use crate::ids::{Attempt, DeploymentId, OutputId};
use crate::manifest::Encoding;
use crate::path::SitePath;

/// The name of one object: `/`-separated segments, none of them empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// What the keys of a listing start with. It ends with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(String);

/// A file of a published site.
pub fn output(id: &OutputId, path: &SitePath) -> Key {
    Key(format!("__outputs/{id}/{path}"))
}

/// All files of a published site.
pub fn outputs(id: &OutputId) -> KeyPrefix {
    KeyPrefix(format!("__outputs/{id}/"))
}

/// A compressed copy of a file of a published site.
pub fn variant(id: &OutputId, encoding: Encoding, path: &SitePath) -> Key {
    Key(format!("__variants/{id}/{}/{path}", encoding.as_str()))
}

/// All compressed copies of a published site.
pub fn variants(id: &OutputId) -> KeyPrefix {
    KeyPrefix(format!("__variants/{id}/"))
}

/// A file on its way to replace a published one in place; see `docs/adr/0002-staged-replacement.md`.
pub fn staged(id: &OutputId, attempt: Attempt, path: &SitePath) -> Key {
    Key(format!("__staged/{id}/{attempt}/{path}"))
}

/// The manifest of a published site. It exists exactly when the site is complete.
pub fn manifest(id: &OutputId) -> Key {
    Key(format!("__manifests/{id}.json"))
}

/// All manifests.
pub fn manifests() -> KeyPrefix {
    KeyPrefix("__manifests/".to_owned())
}

/// The whole log of a finished build: events as NDJSON, compressed with zstd.
pub fn log(id: &OutputId) -> Key {
    Key(format!("__logs/{id}.ndjson.zst"))
}

/// A directory that waits to be built or published: a tar archive, compressed with zstd.
pub fn upload(id: &DeploymentId) -> Key {
    Key(format!("__uploads/{id}.tar.zst"))
}

/// An object that is written, replaced and removed again to see what the store does: where only the upload
/// service writes, and under a name that no upload has.
pub fn probe(random: u64) -> Key {
    Key(format!("__uploads/.probe-{random:016x}"))
}

/// The route of a host label, such as a project's name.
pub fn route(label: &str) -> Option<Key> {
    label.parse::<SitePath>().ok().filter(|path| path.as_str() == path.file_name())?;
    Some(Key(format!("__routes/{label}.json")))
}

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key a listing returned, if it is one that this module could have spelled.
    pub fn from_listing(text: &str) -> Option<Self> {
        text.parse::<SitePath>().is_ok().then(|| Self(text.to_owned()))
    }

    /// What follows `prefix`, if the key starts with it.
    pub fn strip_prefix(&self, prefix: &KeyPrefix) -> Option<&str> {
        self.0.strip_prefix(&prefix.0)
    }
}

impl KeyPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_as_the_architecture_says() {
        let id: OutputId = "blog".parse().unwrap();
        let path: SitePath = "assets/app.js".parse().unwrap();
        let deployment: DeploymentId = "1m7wywrav60000000000".parse().unwrap();
        assert_eq!(output(&id, &path).as_str(), "__outputs/blog/assets/app.js");
        assert_eq!(outputs(&id).as_str(), "__outputs/blog/");
        assert_eq!(variant(&id, Encoding::Br, &path).as_str(), "__variants/blog/br/assets/app.js");
        assert_eq!(variants(&id).as_str(), "__variants/blog/");
        assert_eq!(staged(&id, Attempt(7), &path).as_str(), "__staged/blog/7/assets/app.js");
        assert_eq!(manifest(&id).as_str(), "__manifests/blog.json");
        assert_eq!(log(&id).as_str(), "__logs/blog.ndjson.zst");
        assert_eq!(upload(&deployment).as_str(), "__uploads/1m7wywrav60000000000.tar.zst");
        assert_eq!(probe(255).as_str(), "__uploads/.probe-00000000000000ff");
        assert_eq!(route("blog").unwrap().as_str(), "__routes/blog.json");
        assert_eq!(output(&id, &path).strip_prefix(&outputs(&id)), Some("assets/app.js"));
    }

    #[test]
    fn a_hostile_label_has_no_route() {
        for label in ["", ".", "..", "../__manifests/x", "a/b", "a\0"] {
            assert_eq!(route(label), None, "{label:?}");
        }
    }
}
