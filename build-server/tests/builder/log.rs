//! What of a command's output is in the log, and what is told of the rest.

use std::time::{Duration, Instant};

use gitdeploy_core::event::{Outcome, Stream};
use gitdeploy_core::{Body, Event, FailureCode};
use gitdeploy_test::git::Repository;

use crate::harness::{Builder, LIMIT, log_lines, parse};

/// A site, so that a build ends well.
const SITE: &str = "mkdir dist; echo hi > dist/index.html";

/// Limits that nothing reaches.
const UNLIMITED: &[(&str, &str)] =
    &[("GITDEPLOY_BUILD_LOG_BURST_LINES", "10000000"), ("GITDEPLOY_BUILD_LOG_LIVE_BYTES", "1000000000")];

/// How many lines are told as missing.
fn missing(events: &[Event]) -> u64 {
    let gaps = events.iter().filter_map(|event| match &event.body {
        Body::Gap { lines, reason } => {
            assert!(reason.starts_with("are "), "{reason}");
            Some(*lines)
        }
        _ => None,
    });
    gaps.sum()
}

/// The numbers that the build wrote, as they are in the log.
fn numbers(events: &[Event]) -> Vec<u64> {
    log_lines(events).filter_map(|line| line.text.parse().ok()).collect()
}

#[tokio::test]
async fn output_of_any_kind_becomes_lines() {
    let builder = Builder::new().await;
    let script = format!(
        r"
        printf 'no end'; printf '\n'; printf 'bad \xff byte\n'; printf '10%%\r100%%\n'
        head -c 40000 /dev/zero | tr '\0' x; echo
        {SITE}; printf 'last line without an end'
    "
    );
    let built = builder.build_script(&script, &[]).await;
    built.assert_ready();
    let lines = built.lines();
    for expected in ["no end", "bad \u{FFFD} byte", "100%", "last line without an end"] {
        assert!(lines.contains(&expected), "{expected}: {lines:?}");
    }
    let long: usize = lines.iter().filter(|line| line.starts_with("xxx")).map(|line| line.len()).sum();
    assert_eq!(long, 40_000);
}

#[tokio::test]
async fn every_line_below_the_limits_arrives() {
    let builder = Builder::new().await;
    let built = builder.build_script(&format!("seq 1 100000; {SITE}"), UNLIMITED).await;
    built.assert_ready();
    assert!(numbers(&built.events).into_iter().eq(1..=100_000));
    assert_eq!(missing(&built.events), 0);
    assert!(builder.archive() == built.events, "the archive differs");
}

#[tokio::test]
async fn of_a_flood_the_log_tells_how_much_is_missing_and_shows_its_end() {
    let builder = Builder::new().await;
    let built = builder.build_script(&format!("seq 1 300000; {SITE}"), &[]).await;
    built.assert_ready();
    for events in [&built.events, &builder.archive()] {
        let numbers = numbers(events);
        assert!(numbers.len() >= 10_000 && numbers.is_sorted());
        assert!(numbers.iter().take(10_000).copied().eq(1..=10_000));
        assert!(numbers.iter().rev().take(100).copied().eq((299_901..=300_000).rev()));
        assert_eq!(numbers.len() as u64 + missing(events), 300_000);
    }
}

#[tokio::test]
async fn of_a_long_log_first_and_last_are_live_and_the_whole_is_archived() {
    let builder = Builder::new().await;
    let vars = [UNLIMITED, &[("GITDEPLOY_BUILD_LOG_LIVE_BYTES", "100000")]].concat();
    let built = builder.build_script(&format!("seq 1 50000; {SITE}"), &vars).await;
    built.assert_ready();
    assert!(numbers(&builder.archive()).into_iter().eq(1..=50_000));
    assert_eq!(missing(&builder.archive()), 0);
    let live = numbers(&built.events);
    assert!(live.len() < 10_000 && live.is_sorted(), "{}", live.len());
    assert_eq!((live.first(), live.last()), (Some(&1), Some(&50_000)));
    assert_eq!(live.len() as u64 + missing(&built.events), 50_000);
    assert!(built.notices().iter().any(|notice| notice.contains("the log is longer than")));
    // Whoever goes on with the archive after any event of the live log has seen, or was told of, all before it.
    let archive = builder.archive();
    for event in built.events.iter().filter(|event| !matches!(event.body, Body::Gap { .. })) {
        assert_eq!(archive[usize::try_from(event.seq).unwrap() - 1], *event);
    }
}

#[tokio::test]
async fn the_archive_has_a_limit_too_and_keeps_the_end() {
    let builder = Builder::new().await;
    let vars = [UNLIMITED, &[("GITDEPLOY_BUILD_LOG_BYTES", "6000000")]].concat();
    let script = format!("seq 1 2000 | while read n; do printf '%s %9000s\\n' $n x; done; echo 2001; {SITE}");
    let built = builder.build_script(&script, &vars).await;
    built.assert_ready();
    for events in [&built.events, &builder.archive()] {
        let written: Vec<_> = log_lines(events).filter(|line| line.stream == Stream::Stdout).collect();
        assert_eq!(written.last().unwrap().text, "2001");
        let bytes: usize = written.iter().map(|line| line.text.len()).sum();
        assert!((4_000_000..6_500_000).contains(&bytes), "{bytes}");
        assert_eq!(written.len() as u64 + missing(events), 2001);
    }
}

/// Checks that every line of the build is there or told as missing, and returns how many there were.
fn assert_all_told(events: &[Event]) -> u64 {
    let (mut lines, mut missing) = (0, 0);
    for event in events {
        match &event.body {
            Body::Gap { lines, .. } => missing += lines,
            // Another version of the same line.
            Body::Log(line) if line.line == lines && missing == 0 => {}
            Body::Log(line) => {
                assert_eq!(line.line, lines + missing + 1, "before {line:?}");
                (lines, missing) = (line.line, 0);
            }
            _ => {}
        }
    }
    lines + missing
}

/// The most memory that a process has had at once, in bytes.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[tokio::test]
async fn memory_stays_small_whatever_a_build_writes() {
    let builder = Builder::new().await;
    let script = format!(
        r"
        echo ready; sleep 1
        seq 1 2000000
        head -c 1073741824 /dev/zero | tr '\0' x; echo; echo after the line
        head -c 20000000 /dev/urandom; echo; sleep 2.5; echo after the binary
        for n in $(seq 1 100); do printf '%d of 100\r' $n; sleep 0.01; done; echo; echo after the progress
        {SITE}; printf '\xe2\x82'
    "
    );
    let repository = Repository::new().file("build.sh", &script).commit("Add a script");
    builder.git.add("site", &repository);
    let started = Instant::now();
    let mut running = builder.program("site").var("GITDEPLOY_BUILD_COMMAND", "bash build.sh").start();
    running.wait_for_line("\"ready\"", LIMIT).await;
    let (process, before) = (running.id(), peak(running.id()).unwrap());
    let watch = tokio::spawn(async move {
        let mut most = 0;
        while let Some(peak) = peak(process) {
            most = peak;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most
    });
    assert_eq!(running.wait(5 * LIMIT).await, 0, "{:?}", running.stderr());
    let seconds = started.elapsed().as_secs() + 1;
    let more = (watch.await.unwrap() - before) >> 20;
    assert!(more < 64, "{more} MiB more than at the start");

    let live = parse(&running.stdout().join("\n"));
    let archive = builder.archive();
    for events in [&live, &archive] {
        // Pieces of the long line count as lines.
        assert!(assert_all_told(events) > 2_000_000 + (1 << 30) / (16 * 1024));
        let lines: Vec<_> = log_lines(events).filter(|line| line.stream == Stream::Stdout).collect();
        let versions = lines.iter().filter(|line| line.text.ends_with(" of 100")).count();
        assert!((2..60).contains(&versions), "{versions}");
        for expected in ["100 of 100", "after the binary", "after the progress", "\u{FFFD}"] {
            assert!(lines.iter().any(|line| line.text == expected), "{expected}");
        }
        assert!(lines.len() as u64 <= 10_000 + 2_000 * seconds + 200, "{} in {seconds} s", lines.len());
    }
    let bytes = |events: &[Event]| events.iter().map(|event| event.to_json().len() + 1).sum::<usize>();
    assert!(bytes(&live) < 13 << 20 && bytes(&archive) < 105 << 20, "{} {}", bytes(&live), bytes(&archive));
}

#[tokio::test]
async fn secrets_are_in_no_line_and_in_no_word_of_ours() {
    let builder = Builder::new().await;
    let script = format!(
        "echo \"token $NPM_TOKEN\"; printf %s \"${{NPM_TOKEN:0:9}}\"; sleep 0.3; echo \"${{NPM_TOKEN:9}}\"
         printf %s \"$NPM_TOKEN\" | base64; printf 'x%s' \"$NPM_TOKEN\" | base64; printf %s \"$NPM_TOKEN\" | od -An -tx1 | tr -d ' \\n'
         echo; echo 'git clone https://me:pa55word@host/x' >&2; echo \"$SHORT\"; {SITE}"
    );
    let token = "hunter2/hunter2-hunter2";
    let vars = [
        ("NPM_TOKEN", token),
        ("SHORT", "abc"),
        ("GITDEPLOY_BUILD_PASS", "NPM_TOKEN,SHORT"),
        ("GITDEPLOY_BUILD_INSTALL", "true hunter2/hunter2-hunter2"),
    ];
    let repository = Repository::new().file("build.sh", &script).commit(&format!("Use {token}"));
    let vars = [&[("GITDEPLOY_BUILD_COMMAND", "bash build.sh")], &vars[..]].concat();
    let built = builder.build(&repository, &vars).await;
    built.assert_ready();
    assert_eq!(builder.manifest().unwrap().origin.message.as_deref(), Some("Use [redacted]"));
    let told = format!("{:?}", built.events);
    for secret in ["hunter2", "aHVudGVy", "h1bnRlcjIv", "68756e7465", "pa55word"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    assert!(told.contains("token [redacted]") && told.contains("https://[redacted]@host/x"), "{told}");
    assert!(built.lines().contains(&"$ true [redacted]"), "{told}");
    assert!(
        built.lines().contains(&"abc") && built.notices().iter().any(|notice| notice.contains("`SHORT`"))
    );
}

#[tokio::test]
async fn a_site_that_holds_a_secret_is_not_published() {
    let builder = Builder::new().await;
    let script =
        "mkdir -p dist/assets; echo hi > dist/index.html; echo \"k='$API_KEY'\" > dist/assets/app.js";
    let vars = [("API_KEY", "hunter2-hunter2"), ("GITDEPLOY_BUILD_PASS", "API_KEY")];
    let built = builder.build_script(script, &vars).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::OutputSecret);
    let failure = built.end().failure.as_ref().unwrap();
    assert_eq!(failure.cause, "`assets/app.js` would publish the value of `API_KEY`");
    assert!(!format!("{:?}", built.events).contains("hunter2"));
    assert!(builder.manifest().is_none());

    let public = [&vars[..], &[("GITDEPLOY_BUILD_PUBLIC", "API_KEY")]].concat();
    builder.build_script(script, &public).await.assert_ready();
    let key = "printf -- '-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIDx9pQ3kR1v8mTzYb2LrWnGfA7sUeHcJ5iOq0XtVwK6d\\n' > dist/key.pem";
    let script = format!("{SITE}; {key}");
    let built = builder.build_script(&script, &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::OutputSecret);
    let vars = [("GITDEPLOY_BUILD_ALLOW_SECRETS_IN", "docs/**, *.pem")];
    builder.build_script(&script, &vars).await.assert_ready();
}
