//! The only place that spells a key of the object store.

use std::fmt;

use crate::cache::CacheLevel;
use crate::hash::Sha256;
use crate::ids::{Attempt, DeploymentId, OutputId, ProjectId};
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

/// What builds of a project keep at one level of trust.
pub fn caches(project: &ProjectId, level: CacheLevel) -> KeyPrefix {
    KeyPrefix(format!("__cache/{project}/{}/", level.as_str()))
}

/// What a build kept for later ones: a tar archive, compressed with zstd. It is called like its content, so
/// it never changes.
pub fn cache(project: &ProjectId, level: CacheLevel, archive: &Sha256) -> Key {
    Key(format!("{}{archive}.tar.zst", caches(project, level)))
}

/// Which archive was kept last under a name, of letters, digits and `-`. Builders may not list, so the names of
/// archives have to stand somewhere.
pub fn cache_entry(project: &ProjectId, level: CacheLevel, name: &str) -> Key {
    Key(format!("{}{name}.json", caches(project, level)))
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

/// How the build stands that a host label waits for.
pub fn build_status(label: &str) -> Option<Key> {
    label.parse::<SitePath>().ok().filter(|path| path.as_str() == path.file_name())?;
    Some(Key(format!("__builds/{label}.json")))
}

/// What grants are sealed with, by which the proxy explains its answers. No builder may read it.
pub fn grant_key() -> Key {
    Key("__keys/explain".to_owned())
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
        let project: ProjectId = "blog".parse().unwrap();
        assert_eq!(caches(&project, CacheLevel::Production).as_str(), "__cache/blog/production/");
        assert_eq!(
            cache(&project, CacheLevel::Preview, &Sha256::of(b"")).as_str(),
            "__cache/blog/preview/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.tar.zst"
        );
        assert_eq!(
            cache_entry(&project, CacheLevel::Production, "downloads-npm-node20-x86_64").as_str(),
            "__cache/blog/production/downloads-npm-node20-x86_64.json"
        );
        assert_eq!(probe(255).as_str(), "__uploads/.probe-00000000000000ff");
        assert_eq!(route("blog").unwrap().as_str(), "__routes/blog.json");
        assert_eq!(build_status("blog").unwrap().as_str(), "__builds/blog.json");
        assert_eq!(grant_key().as_str(), "__keys/explain");
        assert_eq!(output(&id, &path).strip_prefix(&outputs(&id)), Some("assets/app.js"));
    }

    #[test]
    fn a_hostile_label_has_no_route() {
        for label in ["", ".", "..", "../__manifests/x", "a/b", "a\0"] {
            assert_eq!(route(label), None, "{label:?}");
        }
    }
}
