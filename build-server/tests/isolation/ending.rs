//! The kernel's word that memory ran out, in a cgroup of the test's own.

use std::path::{Path, PathBuf};

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::binary::{Program, path};
use gitdeploy_test::git::Repository;

use super::{SITE, builder, started_by};
use crate::harness::Built;

const MIB: u64 = 1 << 20;

/// Holds 300 MiB for a while.
const HUNGRY: &str = "node -e 'const held = []; for (let n = 0; n < 30; n++) held.push(Buffer.alloc(10 << 20, 1)); \
                      setTimeout(() => console.log(held.length), 1500)'";

#[tokio::test]
async fn the_kernels_word_on_memory_is_taken() {
    let group = Group::new(256 * MIB);
    let builder = builder().await;
    let script = format!("{HUNGRY} && {SITE}");
    builder.git.add("site", &Repository::new().file("build.sh", &script).commit("First"));
    let enter = format!("echo $$ > {}/cgroup.procs; exec \"$0\"", group.0.display());
    let program = Program::new("bash").args(["-c", &enter]).arg(path("build-server"));
    let program = started_by(&builder, program).var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
    let built = Built::of(program.start()).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildMemory);
}

/// A cgroup with a limit on memory, of either version.
struct Group(PathBuf);

impl Group {
    fn new(bytes: u64) -> Self {
        let name = format!("gitdeploy-test-{}", std::process::id());
        let one = Path::new("/sys/fs/cgroup/memory");
        let (parent, file) = if one.is_dir() {
            (one, "memory.limit_in_bytes")
        } else {
            std::fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory").unwrap();
            (Path::new("/sys/fs/cgroup"), "memory.max")
        };
        let group = Self(parent.join(name));
        std::fs::create_dir(&group.0).unwrap();
        std::fs::write(group.0.join(file), bytes.to_string()).unwrap();
        group
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).ok();
    }
}
