//! Reads files of rules, which the author's build has written.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use gitdeploy_core::rules::{Problem, Problems};

use crate::output::SiteFile;

/// Where files of rules may lie.
pub(super) struct Places<'a> {
    /// The output.
    pub(super) files: &'a [SiteFile],
    /// The project's directory and the repository's.
    pub(super) directories: &'a [&'a Path],
}

impl Places<'_> {
    /// The text of a file at the top of the output.
    pub(super) fn read_output(&self, name: &str, most: u64, problems: &mut Vec<Problem>) -> Option<String> {
        let file = self.files.iter().find(|file| file.path.as_str() == name)?;
        text(File::open(&file.real), name, most, problems)
    }

    /// The text of a file at the top of the output, or else of the project or of the repository.
    pub(super) fn read(&self, name: &str, most: u64, problems: &mut Vec<Problem>) -> Option<String> {
        self.read_output(name, most, problems).or_else(|| {
            let file = self.directories.iter().find_map(|directory| open(directory, name))?;
            text(Ok(file), name, most, problems)
        })
    }

    /// The texts of files of that name, where it may lie: in the output, the project and the repository.
    pub(super) fn each(&self, name: &str, most: u64, problems: &mut Vec<Problem>) -> Vec<String> {
        let of_the_output = self.read_output(name, most, problems);
        let beside = self.directories.iter().filter_map(|directory| open(directory, name));
        let beside: Vec<_> = beside.filter_map(|file| text(Ok(file), name, most, problems)).collect();
        of_the_output.into_iter().chain(beside).collect()
    }

    /// Files of rules that lie beside the sources, and did not get into the output.
    pub(super) fn misplaced(&self) -> Vec<Problem> {
        let mut misplaced = Vec::new();
        for name in ["_redirects", "_headers"] {
            let is_published = self.files.iter().any(|file| file.path.as_str() == name);
            if !is_published && self.directories.iter().any(|directory| open(directory, name).is_some()) {
                let mut problems = Problems::of(name);
                problems.add(
                    None,
                    "it lies beside the sources and is not read: have the build copy it into the output (with most tools by moving it to `public` or `static`)",
                );
                misplaced.extend(problems.into_list());
            }
        }
        misplaced
    }
}

/// Opens a plain file of `directory`. A link that leads out of it is not followed, and nothing that could block.
fn open(directory: &Path, name: &str) -> Option<File> {
    let directory = directory.canonicalize().ok()?;
    let real = directory.join(name).canonicalize().ok()?;
    let is_ours = real.starts_with(&directory) && real.metadata().ok()?.is_file();
    is_ours.then(|| File::open(real).ok()).flatten()
}

/// What does not fit is a problem, and so is what cannot be read. Bytes that are no UTF-8 make their lines unusable.
fn text(file: std::io::Result<File>, name: &str, most: u64, problems: &mut Vec<Problem>) -> Option<String> {
    let mut bytes = Vec::new();
    let read = file.and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    let reason = match read {
        Ok(_) if bytes.len() as u64 <= most => return Some(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(_) => format!("it is larger than {} MiB and was not read", most >> 20),
        Err(error) => format!("it cannot be read: {error}"),
    };
    let mut found = Problems::of(name);
    found.add(None, reason);
    problems.extend(found.into_list());
    None
}
