//! Which directories somebody else can enter, or change.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// The directories of `path` that everybody may enter: commands could not run what is in the others, and what looks
/// for a program would find one that they cannot start.
pub(super) fn reachable(path: &str) -> OsString {
    let kept = std::env::split_paths(path).filter(|directory| is_reachable(directory));
    // It was split at the same sign.
    std::env::join_paths(kept).unwrap_or_default()
}

/// Whether everybody may enter `directory`, and all directories above it.
pub(super) fn is_reachable(directory: &Path) -> bool {
    // What a link leads to may lie elsewhere.
    let Ok(real) = directory.canonicalize() else { return false };
    real.ancestors().all(|above| above.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

/// Whether somebody who is not root could rename or replace what root makes in `directory`.
pub(super) fn is_others(directory: &Path) -> bool {
    directory.metadata().map_or(true, |meta| {
        let is_shared = meta.mode() & 0o022 != 0;
        let is_sticky = meta.mode() & 0o1000 != 0;
        meta.uid() != 0 || (is_shared && !is_sticky)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn what_is_locked_away_is_left_out() {
        let open = tempfile::tempdir().unwrap();
        let locked = open.path().join("locked/bin");
        std::fs::create_dir_all(&locked).unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(open.path(), 0o755);
        mode(&open.path().join("locked"), 0o700);
        let path = format!("/usr/bin:{}:/nowhere:/bin", locked.display());
        assert_eq!(reachable(&path), "/usr/bin:/bin");
        mode(&open.path().join("locked"), 0o711);
        assert_eq!(reachable(&path), *format!("/usr/bin:{}:/bin", locked.display()));
    }
}
