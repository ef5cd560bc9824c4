//! What a builder fetches from the upload service before it begins, where its environment does not say all.

mod renew;
mod service;

use std::time::Duration;

use anyhow::Context as _;
use gitdeploy_core::claim::{Claim, Credentials, variable};
use gitdeploy_runtime::ready::wait_for;
use gitdeploy_runtime::{SettingError, Vars};
use gitdeploy_store::{Keys, LentKeys, S3Access, StoreConfig};
use secrecy::ExposeSecret as _;
use tokio_util::task::AbortOnDropHandle;

pub(crate) use service::Service;

/// Variables by which something in a task of ECS finds the task's own credentials and what is known of it. Nothing
/// that we run needs them.
const OF_TASKS: &[&str] = &["AWS_CONTAINER_", "ECS_CONTAINER_METADATA_URI"];

/// What a builder goes by.
pub(crate) struct Claimed {
    /// Its variables: what was claimed, then what stands in its environment.
    pub(crate) vars: Vars,
    lent: Option<Lent>,
}

/// Who we are to the store, for as long as the value lives.
struct Lent {
    first: Keys,
    keys: LentKeys,
    _renewing: AbortOnDropHandle<()>,
}

impl Claimed {
    /// Where nothing is to be claimed.
    pub(crate) fn nothing(vars: &Vars) -> Self {
        Self { vars: vars.clone(), lent: None }
    }

    /// Claims, and keeps what is lent from ending. `bound` is how long the service may take to be reached.
    pub(crate) async fn fetch(service: Service, vars: &Vars, bound: Duration) -> anyhow::Result<Self> {
        let claimed =
            wait_for("the upload service", bound, async || service.ask::<Claim>("claim").await).await?;
        let Claim { variables, credentials } = claimed.context("the build cannot be claimed")?;
        let lent = credentials.map(|credentials| {
            let expires = credentials.expires;
            let first = keys(credentials);
            let (newest, keys) = LentKeys::new(first.clone());
            let renewing = tokio::spawn(renew::keep_fresh(service, expires, newest));
            Lent { first, keys, _renewing: AbortOnDropHandle::new(renewing) }
        });
        let mut merged: Vars = variables.into_iter().collect();
        let others = vars.iter().filter(|(name, _)| !is_withheld(name));
        let others: Vars =
            others.filter(|(name, _)| !merged.iter().any(|(claimed, _)| claimed == name)).cloned().collect();
        merged.extend(others);
        Ok(Self { vars: merged, lent })
    }

    /// What is lent at first, with names for it: the log must not show it.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let Some(Lent { first, .. }) = &self.lent else { return Vec::new() };
        let token = first.session_token.as_ref().map(|token| ("the session token that was lent", token));
        let secrets = [("the key that was lent", &first.secret_access_key)].into_iter().chain(token);
        secrets.map(|(name, secret)| (name, secret.expose_secret().to_owned())).collect()
    }

    /// Makes the store one that knows us by what is lent.
    pub(crate) fn lend_to(&self, store: &mut StoreConfig) {
        let Some(lent) = &self.lent else { return };
        let get = |name| get(&self.vars, name).map(str::to_owned);
        store.access = Some(S3Access {
            endpoint_url_s3: get("AWS_ENDPOINT_URL_S3"),
            region: get("AWS_REGION"),
            access_key_id: lent.first.access_key_id.clone(),
            secret_access_key: lent.first.secret_access_key.clone(),
            session_token: lent.first.session_token.clone(),
        });
        store.lent = Some(lent.keys.clone());
    }
}

/// The service that the variables name, if they do.
pub(crate) fn service(vars: &Vars) -> Result<Option<Service>, SettingError> {
    let get = |name| get(vars, name);
    let Some(url) = get(variable::URL) else { return Ok(None) };
    let missing = |name: &str| SettingError::new(name, format!("it is not set, but `{}` is", variable::URL));
    let token = get(variable::TOKEN).ok_or_else(|| missing(variable::TOKEN))?;
    let attempt = gitdeploy_core::spec::variable::ATTEMPT;
    let number = get(attempt).ok_or_else(|| missing(attempt))?;
    let number = number.parse().map_err(|_| SettingError::new(attempt, "it is not a number"))?;
    Service::new(url, token, gitdeploy_core::Attempt(number)).map(Some)
}

fn get<'a>(vars: &'a Vars, wanted: &str) -> Option<&'a str> {
    let found = vars.iter().find(|(name, value)| name == wanted && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

fn is_withheld(name: &str) -> bool {
    [variable::URL, variable::TOKEN].contains(&name) || OF_TASKS.iter().any(|prefix| name.starts_with(prefix))
}

fn keys(credentials: Credentials) -> Keys {
    Keys {
        access_key_id: credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.into(),
        session_token: Some(credentials.session_token.into()),
        expires: Some(credentials.expires),
    }
}
