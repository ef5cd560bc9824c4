//! Repositories made of a few lines, with the `git` command and none of the machine's settings.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A repository with a work tree, on the branch `main` until another is begun. Its commits have the same ids on
/// every machine and in every run.
#[derive(Debug)]
pub struct Repository {
    directory: TempDir,
}

impl Repository {
    /// A repository without a commit.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        git(directory.path(), &["init", "--quiet", "--initial-branch=main"]);
        Self { directory }
    }

    /// A repository with one commit that holds the files of a directory, such as one of `examples/`. What git
    /// ignores there is left out.
    pub fn of_directory(source: &Path) -> Self {
        let repository = Self::new();
        let work_tree = format!("--work-tree={}", source.display());
        git(&repository.directory.path().join(".git"), &[&work_tree, "add", "--all", "."]);
        git(repository.path(), &["commit", "--quiet", "--message", "everything"]);
        git(repository.path(), &["reset", "--quiet", "--hard"]);
        repository
    }

    /// Writes a file, with the folders above it.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.place(path), content).expect("a file can be written");
        self
    }

    /// Writes a file that may be run.
    #[must_use]
    pub fn executable(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let place = self.place(path);
        std::fs::write(&place, content).expect("a file can be written");
        std::fs::set_permissions(&place, PermissionsExt::from_mode(0o755)).expect("the file is ours");
        self
    }

    /// Makes a symbolic link at `path` that says `target`.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        std::os::unix::fs::symlink(target, self.place(path)).expect("a link can be made");
        self
    }

    /// Registers another repository as a submodule, at a commit of it. It need not be there.
    #[must_use]
    pub fn submodule(self, path: &str, url: &str, commit: &str) -> Self {
        let modules = self.path().join(".gitmodules");
        let before = std::fs::read_to_string(&modules).unwrap_or_default();
        let after = format!("{before}[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n");
        std::fs::write(modules, after).expect("a file can be written");
        self.gitlink(path, commit)
    }

    /// Makes a commit of another repository an entry of the next commit, as a submodule that nobody registered.
    #[must_use]
    pub fn gitlink(self, path: &str, commit: &str) -> Self {
        git(self.path(), &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
        std::fs::create_dir_all(self.path().join(path)).expect("a folder can be made");
        self
    }

    /// Commits a tree that is given entry by entry, as no git would make it: mode, name, id of the object.
    #[must_use]
    pub fn raw_commit(self, entries: &[(&str, &[u8], String)]) -> Self {
        let mut tree = Vec::new();
        for (mode, name, id) in entries {
            tree.extend_from_slice(mode.as_bytes());
            tree.push(b' ');
            tree.extend_from_slice(name);
            tree.push(0);
            let bytes = (0..id.len() / 2).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16));
            tree.extend(bytes.map(|byte| byte.expect("an id is hexadecimal")));
        }
        let tree = self.object("tree", &tree);
        let commit = git(self.path(), &["commit-tree", "-m", "raw", &tree]);
        git(self.path(), &["update-ref", "refs/heads/main", &commit]);
        self
    }

    /// Adds an object without looking at it, and returns its id.
    pub fn object(&self, kind: &str, content: &[u8]) -> String {
        let file = self.path().join(".git/object");
        std::fs::write(&file, content).expect("a file can be written");
        let file = file.to_str().expect("temporary directories have plain names").to_owned();
        git(self.path(), &["hash-object", "-w", "--literally", "-t", kind, &file])
    }

    /// Removes a file.
    #[must_use]
    pub fn remove(self, path: &str) -> Self {
        std::fs::remove_file(self.place(path)).expect("the file is there");
        self
    }

    /// Commits all that has changed, or nothing at all.
    #[must_use]
    pub fn commit(self, message: &str) -> Self {
        git(self.path(), &["add", "--all", "."]);
        git(self.path(), &["commit", "--quiet", "--allow-empty", "--message", message]);
        self
    }

    /// Goes on, on a new branch.
    #[must_use]
    pub fn branch(self, name: &str) -> Self {
        git(self.path(), &["switch", "--quiet", "--create", name]);
        self
    }

    /// Goes on, on a branch that is there already.
    #[must_use]
    pub fn switch(self, name: &str) -> Self {
        git(self.path(), &["switch", "--quiet", name]);
        self
    }

    /// Gives the last commit a tag.
    #[must_use]
    pub fn tag(self, name: &str) -> Self {
        git(self.path(), &["tag", name]);
        self
    }

    /// The id of a commit, from a name such as `HEAD`, `main` or `HEAD~1`.
    pub fn commit_id(&self, name: &str) -> String {
        git(self.path(), &["rev-parse", "--verify", "--end-of-options", &format!("{name}^{{commit}}")])
    }

    /// The work tree.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The output of a git command in the work tree. Panics if the command fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    pub(super) fn path_text(&self) -> String {
        self.path().to_str().expect("temporary directories have plain names").to_owned()
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.path().join(path);
        let parent = place.parent().expect("a file has a folder");
        std::fs::create_dir_all(parent).expect("a folder can be made");
        place
    }
}

/// Runs git and returns what it prints, without the last line end.
pub(super) fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    isolate(&mut command, directory);
    let output = command.args(arguments).current_dir(directory).output().expect("git is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?} failed: {said}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Keeps the machine's settings, the caller's environment and the time out of a git process.
pub(super) fn isolate(command: &mut Command, home: &Path) {
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Ada Author")
            .env(format!("GIT_{role}_EMAIL"), "ada@example.com")
            .env(format!("GIT_{role}_DATE"), "2026-01-02T03:04:05Z");
    }
}
