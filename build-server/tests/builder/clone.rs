//! Clones of repositories that mean harm, and what a build finds in its clone.

use std::time::Duration;

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::Repository;

use crate::harness::{Builder, Built};

fn refused(built: &Built) {
    built.assert_failed(1, Outcome::Failed, FailureCode::CloneTree);
}

#[tokio::test]
async fn an_annotated_tag_and_a_part_of_a_commits_id_are_found() {
    let builder = Builder::new().await;
    let repository = Repository::new().file("index.html", "one").commit("One");
    repository.git(&["tag", "--annotate", "-m", "the first", "v1.0"]);
    let repository =
        repository.file("index.html", "two").commit("Two").file("index.html", "three").commit("Three");
    let commits: Vec<_> = ["v1.0", "main~1", "main"].map(|name| repository.commit_id(name)).into();
    for (reference, commit) in [
        ("v1.0", &commits[0]),
        (&commits[0], &commits[0]),
        (&commits[1][..12], &commits[1]),
        (&commits[2][..7].to_uppercase(), &commits[2]),
        (&commits[1], &commits[1]),
    ] {
        builder.build(&repository, &[("GIT_REF", reference)]).await.assert_ready();
        assert_eq!(builder.manifest().unwrap().origin.commit.as_ref(), Some(commit), "{reference}");
    }
    let tag = builder.build(&repository, &[("GIT_REF", "v1.0")]).await;
    assert_eq!(tag.decision("reference").unwrap().value, "v1.0");
    for unknown in ["0123456", "012345", "main~1", "-x", "refs/heads/", "a b"] {
        let built = builder.build(&repository, &[("GIT_REF", unknown)]).await;
        built.assert_failed(1, Outcome::Failed, FailureCode::CloneReference);
    }
}

#[tokio::test]
async fn a_branch_that_is_called_like_a_commit_is_not_taken_for_it() {
    let builder = Builder::new().await;
    let repository = Repository::new().file("index.html", "meant").commit("One");
    let commit = repository.commit_id("main");
    let repository = repository.branch("other").file("index.html", "not meant").commit("Two").switch("main");
    repository.git(&["update-ref", &format!("refs/heads/{commit}"), "other"]);
    builder.build(&repository, &[("GIT_REF", &commit)]).await.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), "meant");
}

#[tokio::test]
async fn a_work_tree_is_as_git_would_write_it() {
    let builder = Builder::new().await;
    let script = "git status --porcelain; git log --format=%s; git ls-files --stage; stat -c '%A %N' run link; \
                  git fsck --no-dangling 2>&1; mkdir dist; cp index.html dist";
    let repository = Repository::new()
        .file("index.html", "hi")
        .executable("run", "#!/bin/sh\n")
        .file("a/b/c/deep.txt", "deep")
        .file("ä ö\tü.txt", "names")
        .symlink("link", "a/b")
        .symlink("out", "/etc/passwd")
        .file("build.sh", script)
        .commit("First");
    let built = builder
        .build(
            &repository,
            &[("GITDEPLOY_BUILD_COMMAND", "bash build.sh"), ("GITDEPLOY_BUILD_OUTPUT", "dist")],
        )
        .await;
    built.assert_ready();
    let lines = built.lines();
    let listed: Vec<_> = lines.iter().filter(|line| line.starts_with('1')).copied().collect();
    assert_eq!(listed.join("\n"), repository.git(&["ls-files", "--stage"]));
    assert!(lines.contains(&"First") && lines.contains(&"lrwxrwxrwx 'link' -> 'a/b'"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("-rwxr") && line.ends_with("'run'")), "{lines:?}");
    let odd = |line: &&&str| {
        line.starts_with(" M")
            || line.starts_with(" D")
            || line.starts_with("??")
            || line.starts_with("error")
    };
    assert_eq!(lines.iter().find(odd), None);
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused() {
    let builder = Builder::new().await;
    let base = || Repository::new().file("index.html", "hi").commit("First");
    let names: [&[u8]; 7] = [b".git", b".GIT", b".git\xe2\x80\x8c", b"..", b".", b"a/../../b", &[b'x'; 5000]];
    for name in names {
        let repository = base();
        let hook = repository.object("blob", b"#!/bin/sh\ntouch /tmp/gitdeploy-was-here\n");
        let folder = [b"100755 config\0".as_slice(), &hex(&hook)].concat();
        let folder = repository.object("tree", &folder);
        let entries = [("40000", name, folder)];
        refused(&builder.build(&repository.raw_commit(&entries), &[]).await);
    }
    // A link, then a folder of the same name, whose files would be written through the link.
    let repository = base();
    let (link, file) = (repository.object("blob", b"/tmp"), repository.object("blob", b"x"));
    let folder =
        repository.object("tree", &[b"100644 gitdeploy-was-here\0".as_slice(), &hex(&file)].concat());
    let entries = [("120000", &b"a"[..], link), ("40000", &b"a"[..], folder)];
    refused(&builder.build(&repository.raw_commit(&entries), &[]).await);
    assert!(!std::path::Path::new("/tmp/gitdeploy-was-here").exists());
}

#[tokio::test]
async fn a_tree_of_a_million_files_in_a_few_objects_ends_at_the_limit() {
    let builder = Builder::new().await;
    let repository = Repository::new().file("index.html", "hi").commit("First");
    let mut id = repository.object("blob", b"x");
    let mut mode = "100644";
    for _ in 0..7 {
        let entries =
            (b'a'..=b'j').map(|name| [format!("{mode} {}\0", name as char).as_bytes(), &hex(&id)].concat());
        id = repository.object("tree", &entries.collect::<Vec<_>>().concat());
        mode = "40000";
    }
    let repository = repository.raw_commit(&[("40000", b"bomb", id)]);
    let built = builder.build(&repository, &[("GITDEPLOY_BUILD_CHECKOUT_FILES", "50000")]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::CloneTooLarge);
    let zeros = Repository::new().file("index.html", vec![0; 3_000_000]).commit("First");
    let built = builder.build(&zeros, &[("GITDEPLOY_BUILD_CHECKOUT_BYTES", "1000000")]).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::CloneTooLarge);
}

#[tokio::test]
async fn hooks_filters_and_settings_of_a_repository_run_nothing() {
    let builder = Builder::new().await;
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("was-here");
    let payload = format!("#!/bin/sh\ntouch {}\n", mark.display());
    let repository = Repository::new()
        .file("index.html", "hi")
        .executable("hooks/post-checkout", &payload)
        .executable(".githooks/post-checkout", &payload)
        .file(".gitattributes", "* filter=run\n")
        .file(".gitconfig", format!("[filter \"run\"]\n\tsmudge = touch {0}\n[core]\n\tfsmonitor = touch {0}\n", mark.display()))
        .file(".gitmodules", format!("[include]\n\tpath = /dev/zero\n[submodule \"x\"]\n\tpath = x\n\turl = http://127.0.0.1/\n\tupdate = !touch {}\n", mark.display()))
        .file(".lfsconfig", "[lfs]\n\turl = http://127.0.0.1:1/\n")
        .commit("First");
    builder.build(&repository, &[]).await.assert_ready();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!mark.exists());
}

#[tokio::test]
async fn the_history_is_fetched_only_where_the_site_shows_it() {
    let builder = Builder::new().await;
    let with = |config: &str| {
        let first =
            Repository::new().file("index.html", "1").commit("One").file("index.html", "2").commit("Two");
        first.file("mkdocs.yml", config).commit("Three")
    };
    let script = "git log --format=%s; git rev-parse --is-shallow-repository; git fsck --no-dangling 2>&1; mkdir dist; cp index.html dist";
    let vars = [
        ("GITDEPLOY_BUILD_COMMAND", script),
        ("GITDEPLOY_BUILD_INSTALL", "true"),
        ("GITDEPLOY_BUILD_OUTPUT", "dist"),
    ];
    let built = builder.build(&with("plugins:\n  - git-revision-date-localized\n"), &vars).await;
    built.assert_ready();
    let lines = built.lines();
    assert!(lines.iter().any(|line| line.starts_with("fetching the history: ")), "{lines:?}");
    for line in ["Three", "Two", "One", "false"] {
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
    assert!(!lines.iter().any(|line| line.starts_with("error") || line.contains("missing")), "{lines:?}");
    let plain = builder.build(&with("site_name: x\n"), &vars).await;
    plain.assert_ready();
    assert!(plain.lines().contains(&"true") && !plain.lines().contains(&"Two"), "{:?}", plain.lines());
}

fn hex(id: &str) -> Vec<u8> {
    (0..id.len() / 2).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()).collect()
}
