//! Lists the files that are published, and refuses what cannot be.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gitdeploy_core::{Failure, FailureCode, SitePath};

use crate::config::Config;
use crate::sandbox::Owner;
use crate::stop::{Stop, disk};

/// A file to publish.
#[derive(Debug)]
pub(crate) struct SiteFile {
    pub(crate) path: SitePath,
    /// Where it is, with all links resolved.
    pub(crate) real: PathBuf,
    pub(crate) bytes: u64,
}

/// The files below `directory`, in the order of their paths, which all belong to `owner`. Links that stay inside are
/// followed. With `plain`, what belongs to the repository rather than to its site is left out.
pub(crate) fn walk(
    directory: &Path,
    plain: bool,
    owner: Owner,
    config: &Config,
) -> Result<Vec<SiteFile>, Stop> {
    let top = directory.canonicalize().map_err(disk("cannot read the output directory"))?;
    let mut walk =
        Walk { plain, owner, config, top: top.clone(), bytes: 0, directories: 0, files: Vec::new() };
    walk.directory(&top, "", &mut vec![top.clone()])?;
    let mut files = walk.files;
    if files.is_empty() {
        let failure = Failure::new(FailureCode::OutputEmpty, "the output directory has no files");
        return Err(Stop::author(failure.fix("check that the build command writes the site there")));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

struct Walk<'a> {
    plain: bool,
    owner: Owner,
    config: &'a Config,
    top: PathBuf,
    bytes: u64,
    directories: u64,
    files: Vec<SiteFile>,
}

impl Walk<'_> {
    /// `above` holds the real directories that lead here: a link to one of them would never end.
    fn directory(&mut self, real: &Path, prefix: &str, above: &mut Vec<PathBuf>) -> Result<(), Stop> {
        for entry in real.read_dir().map_err(disk("cannot read the output directory"))? {
            let entry = entry.map_err(disk("cannot read the output directory"))?;
            let name = entry.file_name();
            let shown = format!("{prefix}{}", name.to_string_lossy());
            if self.is_left_out(&name.to_string_lossy()) {
                continue;
            }
            if name.to_str().is_none() {
                return Err(unusable(&shown, "its name is not UTF-8"));
            }
            let real = entry.path().canonicalize().map_err(|_| broken(&shown))?;
            if !real.starts_with(&self.top) {
                return Err(leads_out(&shown));
            }
            let meta = real.metadata().map_err(disk("cannot read the output directory"))?;
            if meta.is_dir() {
                // A few links to one another can make a tree of any size.
                self.directories += 1;
                if self.directories > self.config.output_files {
                    let limit = self.config.output_files;
                    return Err(too_large(&format!("the site has more than {limit} directories")));
                }
                if above.contains(&real) {
                    return Err(unusable(&shown, "it is a link to a directory that contains it"));
                }
                above.push(real.clone());
                self.directory(&real, &format!("{shown}/"), above)?;
                above.pop();
            } else {
                self.file(real, &shown, &meta)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, real: PathBuf, shown: &str, meta: &Metadata) -> Result<(), Stop> {
        if !meta.is_file() {
            return Err(unusable(shown, "it is neither a file nor a directory"));
        }
        // A build can make a hard link to what it cannot read, and we can read it.
        if meta.uid() != self.owner.user {
            return Err(unusable(shown, "it belongs to somebody else"));
        }
        let path = shown.parse::<SitePath>().map_err(|error| unusable(shown, &error.to_string()))?;
        let bytes = meta.len();
        self.bytes += bytes;
        let config = self.config;
        if bytes > config.output_file_bytes {
            let limit = config.output_file_bytes >> 20;
            return Err(too_large(&format!("`{shown}` is larger than {limit} MiB")));
        }
        if self.bytes > config.output_bytes {
            let limit = config.output_bytes >> 20;
            return Err(too_large(&format!("the site is larger than {limit} MiB")));
        }
        if self.files.len() as u64 >= config.output_files {
            return Err(too_large(&format!("the site has more than {} files", config.output_files)));
        }
        self.files.push(SiteFile { path, real, bytes });
        Ok(())
    }

    /// Version control and local secrets are never published; of a plain tree, neither are other hidden files,
    /// apart from `.well-known` (RFC 8615).
    fn is_left_out(&self, name: &str) -> bool {
        let never = name == ".git" || name == ".env" || name.starts_with(".env.") || name == ".DS_Store";
        let hidden = name.starts_with('.') && name != ".well-known";
        never || (self.plain && (hidden || name == "node_modules"))
    }
}

fn unusable(shown: &str, reason: &str) -> Stop {
    let cause = format!("`{shown}` cannot be published: {reason}");
    Stop::author(Failure::new(FailureCode::OutputFile, cause).fix("remove or rename it in the output"))
}

fn leads_out(shown: &str) -> Stop {
    let cause = format!("the link `{shown}` leads out of the output directory");
    Stop::author(Failure::new(FailureCode::OutputLink, cause).fix("copy the file into the output instead"))
}

fn broken(shown: &str) -> Stop {
    let cause = format!("the link `{shown}` leads nowhere");
    Stop::author(Failure::new(FailureCode::OutputLink, cause).fix("remove the link or mend its target"))
}

fn too_large(cause: &str) -> Stop {
    let fix = "publish less, or have the operator raise the limit";
    Stop::author(Failure::new(FailureCode::OutputTooLarge, cause).fix(fix))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(names: &[&str]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for name in names {
            let file = tree.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, name).unwrap();
        }
        tree
    }

    fn paths(tree: &tempfile::TempDir, plain: bool) -> Result<Vec<String>, FailureCode> {
        let files =
            walk(tree.path(), plain, Owner::ours(), &Config::default()).map_err(|stop| stop.failure.code)?;
        Ok(files.into_iter().map(|file| file.path.to_string()).collect())
    }

    #[test]
    fn files_come_in_order_and_secrets_do_not() {
        let names = [
            "b.css",
            "a/index.html",
            ".git/config",
            ".env",
            ".env.local",
            ".nojekyll",
            ".well-known/x",
            "node_modules/y",
        ];
        let tree = tree(&names);
        let built = [".nojekyll", ".well-known/x", "a/index.html", "b.css", "node_modules/y"];
        assert_eq!(paths(&tree, false).unwrap(), built);
        assert_eq!(paths(&tree, true).unwrap(), [".well-known/x", "a/index.html", "b.css"]);
    }

    #[test]
    fn links_may_not_lead_out() {
        let inside = tree(&["real/page.html"]);
        symlink("real/page.html", inside.path().join("page.html")).unwrap();
        symlink("real", inside.path().join("alias")).unwrap();
        assert_eq!(paths(&inside, false).unwrap(), ["alias/page.html", "page.html", "real/page.html"]);

        for target in ["/etc/passwd", "../../etc/passwd", "/proc/self/environ", "nowhere"] {
            let tree = tree(&["index.html"]);
            symlink(target, tree.path().join("link")).unwrap();
            assert_eq!(paths(&tree, false), Err(FailureCode::OutputLink), "{target}");
        }
        let circle = tree(&["a/index.html"]);
        symlink("..", circle.path().join("a/up")).unwrap();
        assert_eq!(paths(&circle, false), Err(FailureCode::OutputFile));
    }

    #[test]
    fn what_cannot_be_published_is_named() {
        assert_eq!(paths(&tree(&[]), false), Err(FailureCode::OutputEmpty));
        assert_eq!(paths(&tree(&["a\nb"]), false), Err(FailureCode::OutputFile));
        let socket = tree(&["index.html"]);
        let _listener = std::os::unix::net::UnixListener::bind(socket.path().join("socket")).unwrap();
        assert_eq!(paths(&socket, false), Err(FailureCode::OutputFile));
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        let tree = tree(&["index.html"]);
        let other = Owner { user: Owner::ours().user + 1, ..Owner::ours() };
        let stop = walk(tree.path(), false, other, &Config::default()).unwrap_err();
        assert_eq!(stop.failure.code, FailureCode::OutputFile);
    }

    #[test]
    fn a_maze_of_links_ends() {
        let tree = tree(&["d40/index.html"]);
        for number in 0..40 {
            let directory = tree.path().join(format!("d{number}"));
            std::fs::create_dir(&directory).unwrap();
            symlink(format!("../d{}", number + 1), directory.join("a")).unwrap();
            symlink(format!("../d{}", number + 1), directory.join("b")).unwrap();
        }
        let config = Config { output_files: 1000, ..Config::default() };
        let stop = walk(tree.path(), false, Owner::ours(), &config).unwrap_err();
        assert_eq!(stop.failure.code, FailureCode::OutputTooLarge);
    }

    #[test]
    fn limits_hold() {
        let tree = tree(&["a", "b", "c"]);
        let check = |config: Config| {
            let stop = walk(tree.path(), false, Owner::ours(), &config).unwrap_err();
            assert_eq!(stop.failure.code, FailureCode::OutputTooLarge);
        };
        check(Config { output_files: 2, ..Config::default() });
        check(Config { output_bytes: 2, ..Config::default() });
        check(Config { output_file_bytes: 0, ..Config::default() });
    }
}
