//! The programs of this workspace, built once and run as processes of their own.

mod running;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

pub use nix::sys::signal::Signal;
pub use running::{Program, Running};

/// The path of a program of this workspace, such as `build-server`. It is built if it is older than its
/// sources, at most once in a process.
pub fn path(name: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if let Some(path) = built.get(name) {
        return path.clone();
    }
    let path = build(name);
    built.insert(name.to_owned(), path.clone());
    path
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the sources are where they were compiled")
}

fn build(name: &str) -> PathBuf {
    let profile_directory = profile_directory();
    let profile = match profile_directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let target_directory =
        profile_directory.parent().expect("a profile's directory is in the target directory");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // With `--workspace` and `--examples` the features are those of `cargo test --workspace`, so that what it
    // has compiled already is not compiled once more.
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--examples", "--bin", name, "--profile", profile])
        .arg("--target-dir")
        .arg(target_directory)
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{name}` cannot be built:\n{said}");
    profile_directory.join(name)
}

/// Where cargo puts the programs of the profile that this test was compiled with: tests lie in `deps` in it.
fn profile_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    let folder = test.parent().expect("a program lies in a folder");
    let is_test = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    if is_test { folder.parent().expect("`deps` lies in a folder").to_owned() } else { folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_workspace_is_built_and_found_again() {
        assert!(path("s3-server").is_file());
        assert_eq!(path("s3-server"), path("s3-server"));
        assert!(workspace().join("Cargo.lock").is_file());
    }
}
