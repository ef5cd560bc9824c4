use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use gitdeploy_core::manifest::Origin;
use gitdeploy_core::spec::BuildSettings;
use gitdeploy_core::{DeploymentId, Failure, FailureCode, State};
use gitdeploy_runtime::section;
use gitdeploy_test::moto::Moto;
use jiff::Timestamp;
use tempfile::TempDir;
use upload_service::Catalog;
use upload_service::catalog::{CatalogConfig, Deployment, Ending, NewDeployment, SourceKind, Target};

pub(crate) fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_219_200_000 + milliseconds).unwrap()
}

pub(crate) fn new(project: &str, number: i64) -> NewDeployment {
    NewDeployment {
        id: DeploymentId::new(at(number), 0),
        project: project.parse().unwrap(),
        target: Target::Production,
        source: SourceKind::Git,
        origin: Origin { repository: Some("https://host/blog".to_owned()), ..Origin::default() },
        settings: BuildSettings::default(),
        created: at(number),
    }
}

pub(crate) fn ending(state: State) -> Ending {
    let failure = (state != State::Ready).then(|| Failure::new(FailureCode::BuilderLost, state.as_str()));
    Ending { state, phase: None, files: Some(1), bytes: Some(2), failure, origin: Origin::default() }
}

pub(crate) fn canceled() -> Failure {
    Failure::new(FailureCode::Canceled, "the deployment was canceled")
}

/// A deployment that was made and claimed at `number`, with a lease of a minute.
pub(crate) async fn claimed(catalog: &Catalog, project: &str, number: i64) -> Deployment {
    catalog.create(new(project, number)).await.unwrap();
    catalog.claim_oldest(at(number), at(number + 60_000)).await.unwrap().unwrap()
}

pub(crate) fn in_a_file() -> (Catalog, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Catalog::open(&directory.path().join("catalog.sqlite3")).unwrap(), directory)
}

/// The server of all tests. It takes seconds to start.
pub(crate) fn moto() -> &'static Moto {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(Moto::start)
}

/// The settings for a new table.
pub(crate) async fn table() -> CatalogConfig {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let table = format!("catalog-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let moto = tokio::task::spawn_blocking(moto).await.unwrap();
    moto.create_catalog_table(&table).await;
    CatalogConfig { table: Some(table), access: Some(section("AWS_", &moto.vars()).unwrap()) }
}

pub(crate) async fn in_dynamodb() -> Catalog {
    Catalog::dynamodb(&table().await).await.unwrap()
}
