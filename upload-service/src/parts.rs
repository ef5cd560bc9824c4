//! The parts that the settings select: where files, events and records are kept, and where builders run.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use gitdeploy_bus::{BusConfig, EventBus};
use gitdeploy_runtime::ready::wait_for;
use gitdeploy_runtime::{SettingError, Vars, section};
use gitdeploy_store::{ObjectStore, StoreConfig};

use crate::catalog::{Catalog, CatalogConfig};
use crate::config::Config;
use crate::keyring::{Keyring, KeyringConfig};
use crate::launcher::{EcsConfig, Launcher};
use crate::lend::{LendConfig, LendError, Lender};

/// What the control plane works with.
#[derive(Debug)]
pub struct Parts {
    /// Where files are.
    pub store: ObjectStore,
    /// Where events are.
    pub bus: EventBus,
    /// What starts builders.
    pub launcher: Launcher,
    /// The records that several services share; absent: those in the data directory.
    pub catalog: Option<Catalog>,
    /// What is lent to builders that are not processes of this machine.
    pub lend: Option<Lend>,
}

/// What a lender is opened with.
pub struct Lend {
    /// What the settings say of it.
    pub config: LendConfig,
    /// What seals the key of claims.
    pub keyring: KeyringConfig,
    /// Where the store is.
    pub store: StoreConfig,
    /// The variables of this process, some of which builders get too.
    pub vars: Vars,
    /// Where AWS is and who we are.
    pub aws: SdkConfig,
}

// Of the variables some are secret.
impl fmt::Debug for Lend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lend").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Lend {
    /// A lender that is proved to have something to lend.
    pub(crate) async fn open(
        self,
        bus: EventBus,
        catalog: &Catalog,
        data_directory: &Path,
    ) -> Result<Lender, LendError> {
        let keyring = Keyring::open(&self.keyring, data_directory, &self.aws)?;
        let Self { config, vars, aws, store, .. } = &self;
        let lender = Lender::open(config.clone(), vars, aws, store, bus, catalog, &keyring).await?;
        lender.check().await?;
        Ok(lender)
    }
}

/// What the settings select, before any of it is opened.
pub struct Selection {
    store: StoreConfig,
    bus: BusConfig,
    catalog: CatalogConfig,
    keyring: KeyringConfig,
    ecs: Option<EcsConfig>,
    lend: LendConfig,
    vars: Vars,
}

impl Selection {
    /// Reads the settings, and whether they make sense together.
    pub fn from_vars(config: &Config, vars: &Vars) -> Result<Self, SettingError> {
        let selection = Self {
            store: section("GITDEPLOY_STORE_", vars)?,
            bus: section("GITDEPLOY_BUS_", vars)?,
            catalog: section("GITDEPLOY_CATALOG_", vars)?,
            keyring: section("GITDEPLOY_CATALOG_", vars)?,
            ecs: EcsConfig::from_vars(vars)?,
            lend: section("GITDEPLOY_LEND_", vars)?,
            vars: vars.clone(),
        };
        selection.fit(config).map(|()| selection)
    }

    fn fit(&self, config: &Config) -> Result<(), SettingError> {
        let missing =
            |variable: &str, why: &str| Err(SettingError::new(variable, format!("it is not set: {why}")));
        let shared = self.catalog.table.is_some();
        if self.store.bucket.is_none() && self.store.directory.is_none() {
            let reason = "it is not set, nor is `GITDEPLOY_STORE_BUCKET`: builders are processes of their own \
                          and cannot share a store in memory";
            return Err(SettingError::new("GITDEPLOY_STORE_DIRECTORY", reason));
        }
        if shared && config.token.is_none() {
            return missing("GITDEPLOY_API_TOKEN", "services that share a catalog have one token");
        }
        if self.ecs.is_none() {
            return Ok(());
        }
        if self.store.bucket.is_none() {
            return missing(
                "GITDEPLOY_STORE_BUCKET",
                "builders on ECS cannot reach a directory of this machine",
            );
        }
        if self.bus.redis_url.is_none() {
            return missing("GITDEPLOY_BUS_REDIS_URL", "the events of builders on ECS arrive over Redis");
        }
        if self.lend.url.is_none() {
            return missing("GITDEPLOY_LEND_URL", "builders on ECS have to reach this service");
        }
        if shared && self.keyring.kms_key.is_none() {
            let why =
                "services that share a catalog share the key of its secrets, which no data directory can be";
            return missing("GITDEPLOY_CATALOG_KMS_KEY", why);
        }
        Ok(())
    }

    /// Opens what is selected, and waits until it can be reached. `own` starts builders where nothing else is
    /// said.
    pub async fn open(self, config: &Config, own: Launcher) -> anyhow::Result<Parts> {
        let Self { store, bus, catalog, keyring, ecs, lend, vars } = self;
        let bound = Duration::from_secs(config.ready_seconds);
        let opened = wait_for("the store", bound, async || {
            let store = ObjectStore::open(&store).await?;
            store.check().await.map(|()| store)
        });
        let opened = opened.await?;
        opened.probe().await?;
        let bus = wait_for("the bus", bound, async || EventBus::open(&bus).await).await?;
        let mut parts = Parts::new(opened, bus, own);
        if let Some(shared) = Box::pin(Catalog::dynamodb(&catalog)).await {
            wait_for("the catalog", bound, async || shared.check().await).await?;
            parts.catalog = Some(shared);
        }
        if let Some(ecs) = ecs {
            let aws = Box::pin(aws_config::load_defaults(BehaviorVersion::latest())).await;
            parts.launcher = Launcher::ecs(ecs, &aws);
            parts.lend = Some(Lend { config: lend, keyring, store, vars, aws });
        } else if let Some(image) = &config.builder_image {
            parts.launcher = Launcher::container(image, config.builder_options.clone(), &vars);
        }
        tracing::info!(
            store = parts.store.describe(),
            bus = parts.bus.describe(),
            catalog = parts.catalog.as_ref().map_or_else(|| "SQLite".to_owned(), Catalog::describe),
            builders = parts.launcher.describe(),
            "opened"
        );
        Ok(parts)
    }
}

impl Parts {
    /// Parts with the records in the data directory and with builders that need no loan.
    pub fn new(store: ObjectStore, bus: EventBus, launcher: Launcher) -> Self {
        Self { store, bus, launcher, catalog: None, lend: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variable that is refused.
    fn refused(list: &[(&str, &str)]) -> String {
        let vars: Vars = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config::from_vars(&vars).unwrap();
        Selection::from_vars(&config, &vars).map(drop).unwrap_err().variable
    }

    #[test]
    fn settings_that_do_not_go_together_are_named() {
        let mut vars = vec![("GITDEPLOY_ECS_CLUSTER", "sites"), ("GITDEPLOY_ECS_TASK_DEFINITION", "builder")];
        vars.extend([("GITDEPLOY_ECS_SUBNETS", "subnet-1"), ("GITDEPLOY_CATALOG_TABLE", "sites")]);
        for (missing, value) in [
            ("GITDEPLOY_STORE_DIRECTORY", "store"),
            ("GITDEPLOY_API_TOKEN", "gd_admin_0000_0123456789"),
            ("GITDEPLOY_STORE_BUCKET", "sites"),
            ("GITDEPLOY_BUS_REDIS_URL", "redis://localhost"),
            ("GITDEPLOY_LEND_URL", "https://api.example.org"),
            ("GITDEPLOY_CATALOG_KMS_KEY", "alias/sites"),
        ] {
            assert_eq!(refused(&vars), missing);
            vars.push((missing, value));
        }
    }
}
