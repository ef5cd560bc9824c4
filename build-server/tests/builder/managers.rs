//! What the real package managers and frameworks do with what an earlier build has kept, over the S3 wire.

use std::path::Path;

use gitdeploy_test::binary::Program;
use gitdeploy_test::git::Repository;
use gitdeploy_test::s3::S3Server;

use crate::harness::{Builder, Built, LIMIT};
use crate::toolchains::NETWORK;

/// Builds a project twice, and gives what the second build did.
async fn second_build(project: &str) -> Built {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects").join(project);
    second_build_of(&Repository::of_directory(&directory)).await
}

async fn second_build_of(repository: &Repository) -> Built {
    let (builder, server) = (Builder::new().await, S3Server::start().await.unwrap());
    builder.git.add("site", repository);
    let build = async || {
        let network = NETWORK.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let program =
            network.fold(builder.program("site"), |program, (name, value)| program.var(name, value));
        let built = Built::within(program.vars(server.vars()).start(), 3 * LIMIT).await;
        built.assert_ready();
        built
    };
    let first = build().await;
    assert!(!told(&first, "(exact)"), "{:#?}", first.lines());
    build().await
}

fn told(built: &Built, text: &str) -> bool {
    built.lines().iter().any(|line| line.contains(text))
}

#[tokio::test]
async fn pnpm_downloads_nothing_again() {
    let built = second_build("pnpm").await;
    assert!(told(&built, "the downloads of the package manager (exact)"), "{:#?}", built.lines());
    // Between the words are colours.
    assert!(
        told(&built, "reused \u{1b}[96m1") && told(&built, "downloaded \u{1b}[96m0"),
        "{:#?}",
        built.lines()
    );
}

#[tokio::test]
async fn yarn_of_both_kinds_finds_its_downloads() {
    for project in ["yarn-classic", "yarn-berry"] {
        let built = second_build(project).await;
        assert!(told(&built, "the downloads of the package manager (exact)"), "{:#?}", built.lines());
        // What berry says of a package that it has to fetch.
        assert!(!told(&built, "can't be found in the cache"), "{:#?}", built.lines());
    }
}

/// From an index of our own: what a mirror answers may not be kept, and then pip keeps nothing.
#[tokio::test]
async fn pip_uses_what_it_has_downloaded() {
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builder/managers/index.py");
    let running = Program::new("python3").arg(index).start();
    running.wait_for_line("port ", LIMIT).await;
    let port = running.stdout()[0].trim_start_matches("port ").to_owned();
    let script =
        "from greeting import TEXT; import os; os.mkdir('dist'); open('dist/index.html', 'w').write(TEXT)";
    let settings = "[build]\ninstall = \"python3 -m venv ~/.venv && pip install -r requirements.txt\"\n\
         command = \"python3 build.py\"\noutput = \"dist\"\n";
    // What comes over plain HTTP is kept only from hosts that are trusted.
    let host = format!("127.0.0.1:{port}");
    let requirements = format!("--index-url http://{host}/simple\n--trusted-host {host}\ngreeting==1.0\n");
    let repository = Repository::new()
        .file("gitdeploy.toml", settings)
        .file("build.py", script)
        .file("requirements.txt", requirements)
        .commit("Add a site");
    let built = second_build_of(&repository).await;
    assert!(told(&built, "the downloads of the package manager (exact)"), "{:#?}", built.lines());
    assert!(told(&built, "Using cached http:"), "{:#?}", built.lines());
}

#[tokio::test]
async fn a_framework_finds_its_own_cache() {
    let built = second_build("parcel").await;
    assert!(told(&built, "the cache of the framework"), "{:#?}", built.lines());
}
