//! Real package managers: each installs a project with its own lockfile, in the version that the lockfile wants.

use std::path::Path;

use gitdeploy_test::git::Repository;

use crate::harness::{Builder, Built};

/// How the internet is reached from this machine, which npm has to know to fetch a package manager.
pub(crate) const NETWORK: &[&str] =
    &["HTTPS_PROXY", "HTTP_PROXY", "NODE_EXTRA_CA_CERTS", "NO_PROXY", "SSL_CERT_FILE"];

async fn builds(manager: &str, name: &str) {
    let builder = Builder::new().await;
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects").join(manager);
    builder.git.add("site", &Repository::of_directory(&project));
    let network = NETWORK.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let program = network.fold(builder.program("site"), |program, (name, value)| program.var(name, value));
    let built = Built::of(program.start()).await;
    built.assert_ready();
    assert_eq!(builder.published("index.html").unwrap(), format!("Hello from {manager}"));
    let decided = built.decision("package_manager").unwrap();
    assert!(decided.value.starts_with(name), "{decided:?}");
}

#[tokio::test]
async fn npm_installs_from_its_lockfile() {
    builds("npm", "npm").await;
}

#[tokio::test]
async fn pnpm_installs_from_its_lockfile() {
    builds("pnpm", "pnpm 9").await;
}

#[tokio::test]
async fn yarn_classic_installs_from_its_lockfile() {
    builds("yarn-classic", "yarn 1").await;
}

#[tokio::test]
async fn yarn_berry_installs_from_its_lockfile() {
    builds("yarn-berry", "yarn 4").await;
}
