//! Listing files in the order of their keys.

use std::io;
use std::path::Path;

use gitdeploy_core::{Key, KeyPrefix};

use super::cannot;
use super::read::cannot_exist;
use crate::error::StoreError;
use crate::memory::PAGE;
use crate::object::Page;

pub(super) fn list(root: &Path, prefix: &KeyPrefix, after: Option<&str>) -> Result<Page, StoreError> {
    let mut walk = Walk { root, after: after.unwrap_or_default(), objects: Vec::new() };
    walk.directory(prefix.as_str()).map_err(|error| cannot("list", &root.join(prefix.as_str()), error))?;
    let mut objects = walk.objects;
    let more = objects.len() > PAGE;
    objects.truncate(PAGE);
    let next = objects.last().filter(|_| more).map(|(key, _)| key.to_string());
    Ok(Page { objects, next })
}

struct Walk<'a> {
    root: &'a Path,
    after: &'a str,
    objects: Vec<(Key, u64)>,
}

impl Walk<'_> {
    /// Adds the objects whose keys start with `prefix`, until there is one more than a page has.
    fn directory(&mut self, prefix: &str) -> io::Result<()> {
        for name in names(&self.root.join(prefix))? {
            let key = format!("{prefix}{name}");
            if name.ends_with('/') {
                if key.as_str() > self.after || self.after.starts_with(&key) {
                    self.directory(&key)?;
                }
            } else if key.as_str() > self.after {
                self.file(&key)?;
            }
            if self.objects.len() > PAGE {
                break;
            }
        }
        Ok(())
    }

    fn file(&mut self, key: &str) -> io::Result<()> {
        match self.root.join(key).symlink_metadata() {
            Ok(metadata) => {
                self.objects.extend(Key::from_listing(key).map(|key| (key, metadata.len())));
                Ok(())
            }
            Err(error) if cannot_exist(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The files and, with a `/` after them, the directories in a directory, sorted as their keys are: `a-b`
/// stands before `a/b`. Links are no objects: nothing here makes any.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match directory.read_dir() {
        Err(error) if cannot_exist(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(mut name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            name.push('/');
        } else if !kind.is_file() {
            continue;
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}
