//! Real package managers and site generators: each builds a project of `projects.toml`, in the versions that its
//! lockfile wants.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gitdeploy_test::git::Repository;
use serde::Deserialize;

use crate::harness::{Builder, Built};

/// How the internet is reached from this machine, which npm has to know to fetch a package manager.
pub(crate) const NETWORK: &[&str] =
    &["HTTPS_PROXY", "HTTP_PROXY", "NODE_EXTRA_CA_CERTS", "NO_PROXY", "SSL_CERT_FILE"];

/// How long such a build may take: what it installs comes from registries.
const LIMIT: Duration = Duration::from_mins(5);

/// An entry of `projects.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Project {
    directory: String,
    #[expect(dead_code, reason = "`bench/toolchains` compares it")]
    preset: Option<String>,
    manager: Option<String>,
    index: String,
    script: Option<String>,
    /// The file with the test that builds it.
    tests: Option<String>,
}

impl Project {
    fn all() -> Vec<Self> {
        #[derive(Deserialize)]
        struct List {
            project: Vec<Project>,
        }
        toml::from_str::<List>(include_str!("../projects.toml")).unwrap().project
    }

    fn name(&self) -> &str {
        self.directory.rsplit('/').next().unwrap()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

async fn builds(name: &str) {
    let project = Project::all().into_iter().find(|project| project.name() == name).expect(name);
    let builder = Builder::new().await;
    builder.git.add("site", &Repository::of_directory(&root().join(&project.directory)));
    let network = NETWORK.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let program = network.fold(builder.program("site"), |program, (name, value)| program.var(name, value));
    let built = Built::within(program.start(), LIMIT).await;
    built.assert_ready();
    let index = builder.published("index.html").unwrap();
    assert!(index.contains(&project.index), "{index}");
    let manager = &built.decision("package_manager").unwrap().value;
    assert_eq!(manager, project.manager.as_deref().unwrap_or("none"));
    if let Some(text) = &project.script {
        let manifest = builder.manifest().unwrap();
        let files = manifest.files.iter().filter(|(_, file)| file.content_type.contains("javascript"));
        let mut scripts = files.map(|(path, _)| path.to_string());
        assert!(scripts.any(|path| builder.published(&path).unwrap().contains(text)), "{manifest:#?}");
    }
}

/// `projects.toml` and these files are compared with what there is by a test beside the presets too.
#[test]
fn the_test_that_a_project_names_builds_it() {
    for project in Project::all() {
        let Some(file) = &project.tests else { continue };
        let tests = std::fs::read_to_string(root().join(file)).expect(file);
        let here = file.ends_with("toolchains.rs");
        let call = if here { format!("builds(\"{}\")", project.name()) } else { project.directory.clone() };
        assert!(tests.contains(&call), "{file} does not build {}", project.directory);
    }
}

#[tokio::test]
async fn npm_installs_from_its_lockfile() {
    builds("npm").await;
}

#[tokio::test]
async fn pnpm_installs_from_its_lockfile() {
    builds("pnpm").await;
}

#[tokio::test]
async fn yarn_classic_installs_from_its_lockfile() {
    builds("yarn-classic").await;
}

#[tokio::test]
async fn yarn_berry_installs_from_its_lockfile() {
    builds("yarn-berry").await;
}

#[tokio::test]
async fn bun_installs_from_its_lockfile() {
    builds("bun").await;
}

#[tokio::test]
async fn vite_builds_vue_with_pnpm_of_the_wanted_version() {
    builds("vite-vue").await;
}

#[tokio::test]
async fn vite_builds_svelte_with_plug_n_play_of_yarn() {
    builds("vite-svelte").await;
}

#[tokio::test]
async fn mkdocs_builds_in_a_python_environment_of_its_own() {
    builds("mkdocs").await;
}

#[tokio::test]
async fn hugo_builds() {
    builds("hugo").await;
}
