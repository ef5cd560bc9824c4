//! Lockfiles that do not fit, with a real npm.

use gitdeploy_core::FailureCode;
use gitdeploy_core::event::Outcome;
use gitdeploy_test::git::Repository;

use crate::harness::{Builder, Built};
use crate::toolchains::NETWORK;

/// What somebody commits who has added a dependency and not the lockfile.
fn out_of_sync(scripts: &str) -> Repository {
    let package = format!(
        r#"{{"name":"site","private":true,"dependencies":{{"ms":"2.1.3"}},"scripts":{{{scripts}}}}}"#
    );
    let lockfile = r#"{"name":"site","lockfileVersion":3,"requires":true,"packages":{"":{"name":"site"}}}"#;
    let build = "const fs = require('fs'); fs.mkdirSync('dist');\n\
        fs.writeFileSync('dist/index.html', String(require('ms')('1d')));\n";
    Repository::new()
        .file("package.json", package)
        .file("package-lock.json", lockfile)
        .file("build.js", build)
        .commit("Add a dependency")
}

async fn build(builder: &Builder, repository: &Repository) -> Built {
    builder.git.add("site", repository);
    let network = NETWORK.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let program = network.fold(builder.program("site"), |program, (name, value)| program.var(name, value));
    Built::of(program.start()).await
}

#[tokio::test]
async fn a_lockfile_that_does_not_fit_is_told_and_the_build_goes_on() {
    let builder = Builder::new().await;
    // What was installed so is not kept: the next build is told too.
    for _ in 0..2 {
        let built = build(&builder, &out_of_sync(r#""build":"node build.js""#)).await;
        built.assert_ready();
        assert_eq!(builder.published("index.html").unwrap(), "86400000");
        let commands: Vec<_> = built.lines().into_iter().filter(|line| line.starts_with("$ ")).collect();
        let expected =
            ["$ npm ci --no-audit --no-fund", "$ npm install --no-audit --no-fund", "$ npm run build"];
        assert_eq!(commands, expected);
        let notices: Vec<_> = built.notices().into_iter().filter(|notice| notice.contains("lock")).collect();
        assert_eq!(notices.len(), 1, "{notices:?}");
        for part in [
            "`package-lock.json` does not fit `package.json`",
            "installed with `npm install`",
            "run `npm install` on your machine and commit `package-lock.json`",
        ] {
            assert!(notices[0].contains(part), "{notices:?}");
        }
    }
}

#[tokio::test]
async fn what_fails_after_that_is_explained_by_itself() {
    let builder = Builder::new().await;
    let built = build(&builder, &out_of_sync(r#""postinstall":"exit 3","build":"node build.js""#)).await;
    built.assert_failed(1, Outcome::Failed, FailureCode::InstallExit);
    assert_eq!(built.end().exit_code, Some(3));
    let hint = built.end().failure.as_ref().unwrap().hint.clone().unwrap();
    assert_eq!(hint, "the lockfile does not fit `package.json`, and `npm install` fails too");
}
