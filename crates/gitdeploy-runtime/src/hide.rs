//! Hides a process from others of the same user.

/// Keeps processes of the same user, such as a build, out of this one's environment and memory, which are in
/// `/proc` else. Root is not kept out.
pub fn become_undumpable() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        tracing::warn!(%error, "other processes of this user can read the memory of this one");
    }
}
