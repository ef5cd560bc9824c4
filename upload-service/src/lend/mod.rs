//! Lends builders that are not processes of this machine what they need for one build and no other: the build
//! spec, credentials of the store and a login of the bus.

mod config;
mod policy;
mod sts;
mod ticket;
mod variables;

use aws_config::SdkConfig;
use gitdeploy_bus::{BusError, EventBus};
use gitdeploy_core::claim::{Claim, Credentials};
use gitdeploy_core::{Attempt, BuildSpec, DeploymentId};
use gitdeploy_runtime::{SettingError, Vars};
use gitdeploy_store::StoreConfig;
use secrecy::{ExposeSecret as _, SecretString};

pub use config::LendConfig;

use crate::catalog::{Catalog, CatalogError, Deployment};
use crate::keyring::{Keyring, KeyringError};
use crate::launcher::Ticket;
use policy::Place;
use sts::Sts;
use ticket::Tickets;

/// Where builds are below the address of this service.
pub(crate) const PATH: &str = "/internal/v1/builds";

/// Lends to builders. All replicas of the service lend the same.
#[derive(Clone)]
pub struct Lender {
    url: String,
    tickets: Tickets,
    /// What every builder is told.
    variables: Vars,
    bus: EventBus,
    shared_login: Option<SecretString>,
    sts: Option<Sts>,
}

/// Why nothing was lent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LendError {
    /// The settings do not say what is needed.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The key of claims cannot be opened.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The bus lends no login.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Redis does not let us make logins, and there is none to share.
    #[error(
        "Redis does not let this service make a login for each build: allow its login `ACL SETUSER` and \
         `ACL DELUSER`, or set `GITDEPLOY_LEND_REDIS_URL` to a login for builders that may only `XADD`, `PUBLISH` \
         and `EXPIRE`"
    )]
    NoLogin,
    /// STS lends no credentials of the role.
    #[error("the credentials of `{role}` cannot be lent")]
    Role {
        /// The ARN of the role.
        role: String,
        /// What STS says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Lender {
    /// Lends as the settings say: from the store and the bus that `vars` name, through the STS that is where
    /// `shared` says, with the key of claims that is in the catalog. Nothing of it is asked for yet but the key; see
    /// [`Lender::check`].
    pub async fn open(
        config: LendConfig,
        vars: &Vars,
        shared: &SdkConfig,
        store: &StoreConfig,
        bus: EventBus,
        catalog: &Catalog,
        keyring: &Keyring,
    ) -> Result<Self, LendError> {
        let url = address(config.url.as_deref())?;
        let sts = match config.role_arn {
            Some(role) => {
                let place = place(&role, store)?;
                Some(Sts::open(shared, role, config.seconds, place))
            }
            None => None,
        };
        let tickets = Tickets::open(catalog, keyring).await?;
        let variables = variables::of_every_builder(vars);
        Ok(Self { url, tickets, variables, bus, shared_login: config.redis_url, sts })
    }

    /// Whether there is something to lend, so that a wrong setting is known at the start and not in a build.
    pub async fn check(&self) -> Result<(), LendError> {
        if !self.bus.may_lend().await? && self.shared_login.is_none() {
            return Err(LendError::NoLogin);
        }
        match &self.sts {
            Some(sts) => Box::pin(sts.check()).await,
            None => Ok(()),
        }
    }

    /// What the builder of a deployment's current attempt claims with.
    pub fn ticket(&self, deployment: &Deployment) -> Ticket {
        Ticket {
            url: format!("{}{PATH}/{}", self.url, deployment.id),
            token: self.tickets.token(&deployment.id, deployment.attempt),
        }
    }

    /// Whether `text` is the token of that attempt.
    pub(crate) fn is_token(&self, text: &str, id: &DeploymentId, attempt: Attempt) -> bool {
        self.tickets.is_token(text, id, attempt)
    }

    /// All that belongs to the build of a deployment's current attempt, which is to do as `spec` says.
    pub async fn claim(&self, deployment: &Deployment, spec: &BuildSpec) -> Result<Claim, LendError> {
        let login = self.login(deployment).await?;
        let credentials = self.store_credentials(spec).await?;
        let mut variables = self.variables.clone();
        variables.extend(spec.to_vars());
        variables.push(("GITDEPLOY_BUS_REDIS_URL".to_owned(), login.expose_secret().to_owned()));
        Ok(Claim { variables: variables.into_iter().collect(), credentials })
    }

    /// New credentials of the store, where credentials are lent at all. Its login of the bus is made again, in
    /// case Redis has lost it.
    pub async fn credentials(
        &self,
        deployment: &Deployment,
        spec: &BuildSpec,
    ) -> Result<Option<Credentials>, LendError> {
        self.login(deployment).await?;
        self.store_credentials(spec).await
    }

    /// Takes back what can be taken back when the current attempt of a deployment has ended. What cannot, ends
    /// by itself or is of no use.
    pub async fn end(&self, deployment: &Deployment) {
        if let Err(error) = self.bus.take_back(&deployment.output(), deployment.attempt).await {
            tracing::warn!(%error, deployment.id = %deployment.id, "a builder's login of the bus is still there");
        }
    }

    async fn login(&self, deployment: &Deployment) -> Result<SecretString, LendError> {
        let password = self.tickets.bus_password(&deployment.id, deployment.attempt);
        let own = self.bus.lend(&deployment.output(), deployment.attempt, &password).await?;
        own.or_else(|| self.shared_login.clone()).ok_or(LendError::NoLogin)
    }

    async fn store_credentials(&self, spec: &BuildSpec) -> Result<Option<Credentials>, LendError> {
        match &self.sts {
            Some(sts) => Ok(Some(Box::pin(sts.credentials(spec)).await?)),
            None => Ok(None),
        }
    }
}

// The variables may hold secrets of the operator's that builds are lent.
impl std::fmt::Debug for Lender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Lender").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The address as builders get it, without a slash at its end.
fn address(url: Option<&str>) -> Result<String, SettingError> {
    let wrong = |reason: &str| SettingError::new("GITDEPLOY_LEND_URL", reason);
    let url = url.ok_or_else(|| {
        wrong("it is not set: builders that are not processes of this machine have to reach this service")
    })?;
    let form = "it must be an `http` or `https` address such as `https://api.example.org`";
    let parsed = url::Url::parse(url).map_err(|_| wrong(form))?;
    let is_bare = parsed.username().is_empty()
        && parsed.password().is_none()
        && parsed.query().is_none()
        && parsed.fragment().is_none();
    if !matches!(parsed.scheme(), "http" | "https") || !is_bare {
        return Err(wrong(form));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// Where the policies that go with the role's credentials point.
fn place(role: &str, store: &StoreConfig) -> Result<Place, SettingError> {
    let partition = match role.split(':').collect::<Vec<_>>()[..] {
        ["arn", partition, "iam", "", _, name] if name.starts_with("role/") => partition.to_owned(),
        _ => {
            let reason = "it must be the ARN of a role, such as `arn:aws:iam::123456789012:role/publish`";
            return Err(SettingError::new("GITDEPLOY_LEND_ROLE_ARN", reason));
        }
    };
    let bucket = store.bucket.clone().ok_or_else(|| {
        let reason = "it is not set, but builders are to be lent credentials (`GITDEPLOY_LEND_ROLE_ARN`)";
        SettingError::new("GITDEPLOY_STORE_BUCKET", reason)
    })?;
    let place = Place { partition, bucket, prefix: store.prefix.clone() };
    if store.prefix.contains(['*', '?', '$']) || !place.is_short_enough() {
        let reason = "builders cannot be lent credentials for it: it must be short, without `*`, `?` and `$`";
        return Err(SettingError::new("GITDEPLOY_STORE_PREFIX", reason));
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_service_is_a_plain_one() {
        assert_eq!(address(Some("https://api.example.org")).unwrap(), "https://api.example.org");
        assert_eq!(address(Some("http://10.0.0.1:8081/base/")).unwrap(), "http://10.0.0.1:8081/base");
        for wrong in ["", "api.example.org", "ftp://host", "https://me:secret@host", "https://host/?a=b"] {
            let error = address(Some(wrong)).unwrap_err();
            assert_eq!(error.variable, "GITDEPLOY_LEND_URL");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(address(None).unwrap_err().to_string().contains("it is not set"));
    }

    #[test]
    fn a_role_is_lent_for_a_bucket_that_a_policy_can_name() {
        let store = |bucket: Option<&str>, prefix: &str| StoreConfig {
            bucket: bucket.map(str::to_owned),
            prefix: prefix.to_owned(),
            ..StoreConfig::default()
        };
        let role = "arn:aws-cn:iam::123456789012:role/team/publish";
        assert_eq!(place(role, &store(Some("sites"), "a/")).unwrap().partition, "aws-cn");
        let check = |role: &str, store: StoreConfig, variable: &str| {
            assert_eq!(place(role, &store).unwrap_err().variable, variable);
        };
        check(role, store(None, ""), "GITDEPLOY_STORE_BUCKET");
        check(role, store(Some("sites"), "*/"), "GITDEPLOY_STORE_PREFIX");
        check(role, store(Some("sites"), &"long/".repeat(100)), "GITDEPLOY_STORE_PREFIX");
        check("arn:aws:iam::123456789012:user/me", store(Some("sites"), ""), "GITDEPLOY_LEND_ROLE_ARN");
        check("publish", store(Some("sites"), ""), "GITDEPLOY_LEND_ROLE_ARN");
    }
}
