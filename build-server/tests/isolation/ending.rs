//! How a command ended is told apart, with the memory that it held.

use std::path::{Path, PathBuf};

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::binary::{Program, path};
use gitdeploy_test::git::Repository;

use super::SITE;
use crate::harness::{Builder, Built};

const MIB: u64 = 1 << 20;

/// Holds 300 MiB for a while.
const HUNGRY: &str = "node -e 'const held = []; for (let n = 0; n < 30; n++) held.push(Buffer.alloc(10 << 20, 1)); \
                      setTimeout(() => console.log(held.length), 1500)'";

#[tokio::test]
async fn exit_and_signal_are_told_apart_and_memory_is_told() {
    let builder = Builder::new().await;
    let built = builder.build_script("exit 3", &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildExit);
    assert_eq!((built.end().exit_code, built.end().signal.as_deref()), (Some(3), None));

    let built = builder.build_script("kill -SEGV $$", &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildSignal);
    assert_eq!((built.end().exit_code, built.end().signal.as_deref()), (None, Some("SIGSEGV")));

    let built = builder.build_script(&format!("{HUNGRY}; {SITE}"), &[]).await;
    built.assert_ready();
    let peak = built.end().peak_memory_bytes.unwrap();
    assert!((300 * MIB..2000 * MIB).contains(&peak), "{peak}");
}

#[tokio::test]
async fn a_build_that_holds_more_memory_than_it_may_is_ended() {
    let builder = Builder::new().await;
    let limit = (200 * MIB).to_string();
    // It also fails if the end of one process does not end the command.
    let script = format!("{HUNGRY} & wait; {SITE}");
    let built = builder.build_script(&script, &[("GITDEPLOY_BUILD_MEMORY_BYTES", &limit)]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildMemory);
    assert!(built.end().peak_memory_bytes.unwrap() > 200 * MIB);
    let cause = &built.end().failure.as_ref().unwrap().cause;
    assert!(cause.contains("there is 209.7 MB"), "{cause}");
}

#[tokio::test]
#[ignore = "needs root"]
async fn the_kernels_word_on_memory_is_taken() {
    let group = Group::new(256 * MIB);
    let builder = Builder::new().await;
    let script = format!("{HUNGRY} && {SITE}");
    builder.git.add("site", &Repository::new().file("build.sh", &script).commit("First"));
    let enter = format!("echo $$ > {}/cgroup.procs; exec \"$0\"", group.0.display());
    let program = Program::new("bash").args(["-c", &enter]).arg(path("build-server"));
    let program = builder.site(program).var("GITDEPLOY_BUILD_COMMAND", "bash build.sh");
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
