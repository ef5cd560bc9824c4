//! What is published, and what happens to what was published before.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::Repository;

use crate::harness::{Builder, log_lines, walk};

#[tokio::test]
async fn a_build_is_published_with_its_manifest_and_its_log() {
    let builder = Builder::new().await;
    let script = "mkdir -p dist/assets; echo '<h1>hi</h1>' > dist/index.html; echo 'a{}' > dist/assets/a.css; echo done";
    let built = builder.build_script(script, &[]).await;
    built.assert_ready();
    assert_eq!((built.end().files, built.end().bytes), (Some(2), Some(16)));

    assert_eq!(builder.published("assets/a.css").unwrap(), "a{}\n");
    let manifest = builder.manifest().unwrap();
    let types: Vec<_> = manifest.files.values().map(|file| file.content_type.as_str()).collect();
    assert_eq!(types, ["text/css; charset=utf-8", "text/html; charset=utf-8"]);
    assert!(manifest.finished >= manifest.started);

    assert!(built.lines().contains(&"$ bash build.sh") && built.lines().contains(&"done"));
    assert!(built.notices()[0].contains("found in `dist`"), "{:?}", built.notices());
    assert_eq!(builder.archive(), built.events);
    assert!(log_lines(&built.events).zip(1..).all(|(line, number)| line.line == number));
}

#[tokio::test]
async fn a_second_build_replaces_the_first_in_place() {
    let builder = Builder::new().await;
    let script = |text: &str| {
        format!(
            "mkdir dist; echo {text} > dist/index.html; echo same > dist/same.txt; echo {text} > dist/{text}.txt"
        )
    };
    builder.build_script(&script("one"), &[]).await.assert_ready();
    let first = builder.manifest().unwrap();
    builder.build_script(&script("two"), &[]).await.assert_ready();
    let second = builder.manifest().unwrap();

    assert!(second.attempt > first.attempt);
    assert_eq!(builder.published("index.html").unwrap(), "two\n");
    assert_eq!(builder.published("one.txt"), None, "what the new site lacks is removed");
    assert_eq!(second.files["same.txt"].etag, first.files["same.txt"].etag, "it was not uploaded again");
    assert!(second.files.values().all(|file| file.staged.is_none()));
    let staged: Vec<_> = walk(&builder.object("__staged"));
    assert!(staged.is_empty(), "{staged:?}");
}

#[tokio::test]
async fn an_older_attempt_replaces_nothing() {
    let builder = Builder::new().await;
    let script = |text: &str| format!("mkdir dist; echo {text} > dist/index.html");
    builder.build_script(&script("newer"), &[("GITDEPLOY_ATTEMPT", "5")]).await.assert_ready();
    let late = builder.build_script(&script("older"), &[("GITDEPLOY_ATTEMPT", "3")]).await;
    late.assert_failed(75, Outcome::PlatformError, FailureCode::StoreUnavailable);
    assert_eq!(builder.published("index.html").unwrap(), "newer\n");
    assert_eq!(builder.manifest().unwrap().attempt.0, 5);
}

#[tokio::test]
async fn a_prefix_that_somebody_filled_is_replaced_at_once_too() {
    let builder = Builder::new().await;
    let by_hand = builder.object("__outputs/site");
    std::fs::create_dir_all(&by_hand).unwrap();
    std::fs::write(by_hand.join("index.html"), "by hand").unwrap();
    builder.build_script("mkdir dist; echo built > dist/index.html", &[]).await.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), "built\n");
    assert!(builder.manifest().unwrap().files.values().all(|file| file.staged.is_none()));
    assert!(walk(&builder.object("__staged")).is_empty());
}

#[tokio::test]
async fn a_failed_build_leaves_the_earlier_site_alone() {
    let builder = Builder::new().await;
    builder.build_script("mkdir dist; echo one > dist/index.html", &[]).await.assert_ready();
    let before = builder.manifest().unwrap();
    let built = builder.build_script("echo trouble >&2; exit 7", &[]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::BuildExit);
    assert!(built.end().failure.as_ref().unwrap().cause.ends_with("exited with 7"));
    assert!(built.lines().contains(&"trouble"));
    assert_eq!(builder.manifest().unwrap(), before);
    assert_eq!(builder.published("index.html").unwrap(), "one\n");
}

#[tokio::test]
async fn an_output_that_cannot_be_published_is_said() {
    let builder = Builder::new().await;
    for (script, output, code) in [
        ("true", None, FailureCode::OutputMissing),
        ("mkdir -p www; touch www/index.html", Some("dist"), FailureCode::OutputMissing),
        ("mkdir dist", Some("dist"), FailureCode::OutputEmpty),
        ("mkdir dist; ln -s /etc/passwd dist/index.html", Some("dist"), FailureCode::OutputLink),
        ("mkdir dist; ln -s /proc/self/environ dist/x", Some("dist"), FailureCode::OutputLink),
        ("ln -s /etc dist", Some("dist"), FailureCode::OutputLink),
        ("mkdir dist; mkfifo dist/pipe", Some("dist"), FailureCode::OutputFile),
    ] {
        let vars: Vec<_> = output.map(|output| ("GITDEPLOY_BUILD_OUTPUT", output)).into_iter().collect();
        let built = builder.build_script(script, &vars).await;
        built.assert_failed(1, Outcome::Failed, code);
    }
    assert!(builder.manifest().is_none());
}

#[tokio::test]
async fn plain_html_in_a_directory_of_the_repository_is_published() {
    let builder = Builder::new().await;
    let repository = Repository::new()
        .file("site/index.html", "hi")
        .file("site/.env", "SECRET=1")
        .file("README.md", "no")
        .commit("First");
    builder.build(&repository, &[("GITDEPLOY_ROOT", "site")]).await.assert_ready();
    let manifest = builder.manifest().unwrap();
    assert_eq!(manifest.files.len(), 1);
    assert_eq!(builder.published("index.html").unwrap(), "hi");
}

#[tokio::test]
async fn a_store_that_fails_is_the_platforms_fault() {
    let builder = Builder::new().await;
    // Where the output belongs is a file.
    std::fs::write(builder.object("__outputs"), "in the way").unwrap();
    let built = builder.build_script("mkdir dist; echo hi > dist/index.html", &[]).await;
    built.assert_failed(75, Outcome::PlatformError, FailureCode::StoreUnavailable);
}

#[tokio::test]
async fn what_a_page_needs_at_once_stands_in_its_entry_if_it_is_there() {
    let builder = Builder::new().await;
    let page = "mkdir dist; echo '<link rel=stylesheet href=a.css>' > dist/index.html";
    builder.build_script(&format!("{page}; echo > dist/a.css"), &[]).await.assert_ready();
    let link = |path: &str| builder.manifest().unwrap().files[path].link.clone();
    assert_eq!(link("index.html").as_deref(), Some("</a.css>; rel=preload; as=style"));
    assert_eq!(link("a.css"), None);

    builder.build_script(page, &[]).await.assert_ready();
    assert_eq!(link("index.html"), None, "the same page, but not the same site");
}
