//! How a command ended is told apart, with the memory that it held.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;

use crate::harness::Builder;

const MIB: u64 = 1 << 20;

/// Holds 300 MiB for a while.
const HUNGRY: &str = "node -e 'const held = []; for (let n = 0; n < 30; n++) held.push(Buffer.alloc(10 << 20, 1)); \
                      setTimeout(() => console.log(held.length), 1500)'";

/// A site, so that a build ends well.
const SITE: &str = "mkdir dist; echo hi > dist/index.html";

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
