//! Looks for secrets in the files that are to be published, on all cores, in pieces that overlap.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use globset::GlobSet;

use super::Secrets;
use super::certain::Certain;
use crate::output::SiteFile;

/// How much of a file is looked at together.
const PIECE: usize = 256 * 1024;

/// How much of a piece is looked at again with the next. No needle is as long, and no pattern reaches as far.
const OVERLAP: usize = 2 * 1024;

/// A file that must not be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) what: What,
}

/// What stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The value of this variable.
    ValueOf(String),
    /// Something that is secret whoever it belongs to, such as `a private key`.
    Pattern(&'static str),
}

impl Secrets {
    /// The files that hold a secret, in the order of `files`, each with one of them. Where `allowed` says so, what
    /// only looks like a secret is none.
    pub(crate) fn scan(&self, files: &[SiteFile], allowed: &GlobSet) -> std::io::Result<Vec<Finding>> {
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            let mut buffer = Vec::with_capacity(PIECE + OVERLAP);
            while let Some((number, file)) = {
                let number = next.fetch_add(1, Ordering::Relaxed);
                files.get(number).map(|file| (number, file))
            } {
                let path = file.path.as_str();
                let result = self.scan_file(&file.real, allowed.is_match(path), &mut buffer);
                if let Some(result) = result.transpose() {
                    let result = result.map(|what| Finding { path: path.to_owned(), what });
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(number, _)| *number);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn scan_file(
        &self,
        file: &Path,
        is_allowed: bool,
        buffer: &mut Vec<u8>,
    ) -> std::io::Result<Option<What>> {
        let mut file = File::open(file)?;
        buffer.clear();
        loop {
            let kept = buffer.len();
            let read = file.by_ref().take(PIECE as u64).read_to_end(buffer)?;
            let is_last = read < PIECE;
            // What begins in the overlap is looked at with all that follows it.
            let until = if is_last { buffer.len() } else { buffer.len() - OVERLAP };
            if let Some(what) = self.certain(buffer, usize::from(kept > 0), until, is_allowed) {
                return Ok(Some(what));
            }
            if is_last {
                return Ok(None);
            }
            // One byte more, so that what stands before a word is known.
            buffer.drain(..until - 1);
        }
    }

    /// The first thing that begins in `text` between `from` and `until` and is a secret for certain.
    fn certain(&self, text: &[u8], from: usize, until: usize, is_allowed: bool) -> Option<What> {
        let within = self.matches(text).filter(|(range, _)| (from..until).contains(&range.start));
        within.filter_map(|(range, meaning)| meaning.certain(text, range)).find_map(|certain| match certain {
            Certain::Secret(number) => Some(What::ValueOf(self.names[number].clone())),
            Certain::Pattern(what) => (!is_allowed).then_some(What::Pattern(what)),
        })
    }
}

#[cfg(test)]
mod tests {
    use globset::{Glob, GlobSetBuilder};

    use super::*;
    use crate::secrets::Secret;

    const KEY: &str =
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIDx9pQ3kR1v8mTzYb2LrWnGfA7sUeHcJ5iOq0XtVwK6d\n";

    fn what(text: &[u8]) -> Option<What> {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("file");
        std::fs::write(&real, text).unwrap();
        let bytes = text.len() as u64;
        let file = SiteFile { path: "docs/file".parse().unwrap(), real, bytes };
        let secret = Secret { name: "NPM_TOKEN".to_owned(), value: "hunter2-hunter2".to_owned() };
        let secrets = Secrets::new(&[secret]).unwrap();
        secrets.scan(&[file], &GlobSet::empty()).unwrap().pop().map(|finding| finding.what)
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        let found = Some(What::ValueOf("NPM_TOKEN".to_owned()));
        for before in [0, 1, PIECE - 8, PIECE - OVERLAP - 1, PIECE - OVERLAP, PIECE, 2 * PIECE - OVERLAP - 7]
        {
            for text in ["hunter2-hunter2", "aHVudGVyMi1odW50ZXIy", "68756e746572322d68756e74657232"] {
                let file = [&vec![0xFF; before], text.as_bytes(), &vec![b'.'; 3 * OVERLAP]].concat();
                assert_eq!(what(&file), found, "{text} after {before}");
            }
            let key = [&vec![b' '; before], KEY.as_bytes()].concat();
            assert_eq!(what(&key), Some(What::Pattern("a private key")), "after {before}");
        }
        assert_eq!(what(b""), None);
    }

    #[test]
    fn only_what_is_no_example_counts() {
        let token = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
        for (text, expected) in [
            (token.to_owned(), Some("a token")),
            (format!("x{token}"), None),
            (format!("ghp_{}", "x".repeat(36)), None),
            ("new Error('no -----BEGIN PRIVATE KEY----- found')".to_owned(), None),
            (KEY.replace('\n', "\\n"), Some("a private key")),
            ("AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(), None),
            ("AKIAQ3EGRT5YWN7ZKLUH".to_owned(), None),
            (
                "id: AKIAQ3EGRT5YWN7ZKLUH, secret: 'wJa1rXUtnF3MI/K7MD4NG/bPxRf1CYzEpQ2vLkTs'".to_owned(),
                Some("a key of AWS with its secret"),
            ),
            ("https://user:password@example.org".to_owned(), None),
        ] {
            assert_eq!(what(text.as_bytes()), expected.map(What::Pattern), "{text}");
        }
    }

    #[test]
    fn examples_are_allowed_where_the_operator_says_so_and_secrets_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let real = directory.path().join(name);
            std::fs::write(&real, text).unwrap();
            SiteFile { path: format!("docs/{name}").parse().unwrap(), real, bytes: text.len() as u64 }
        };
        let files = [file("a", KEY), file("b", "hunter2-hunter2"), file("c", KEY)];
        let secret = Secret { name: "TOKEN".to_owned(), value: "hunter2-hunter2".to_owned() };
        let allowed = GlobSetBuilder::new().add(Glob::new("docs/[ab]").unwrap()).build().unwrap();
        let found = Secrets::new(&[secret]).unwrap().scan(&files, &allowed).unwrap();
        let paths: Vec<_> = found.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["docs/b", "docs/c"]);
    }
}
