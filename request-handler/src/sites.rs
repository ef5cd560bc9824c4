//! Which site a label leads to: a route's deployment, else a manifest of that name, else a plain prefix.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::{DeploymentId, Key, Manifest, OutputId, Route, keys};
use gitdeploy_store::ETag;
use serde::de::DeserializeOwned;

use crate::cached::{Cached, Loaded};
use crate::fault::Fault;
use crate::origin::{Origin, Record};
use crate::site::{Published, Site};

/// How long what a label leads to is taken for granted: a promotion is seen after at most this.
const FRESH: Duration = Duration::from_secs(1);

/// How much records may take in memory, in bytes of JSON; once by label and once by deployment.
const CAPACITY: u64 = 64 << 20;

/// From which size on a record is parsed where it does not hold up other requests.
const LARGE: usize = 256 << 10;

/// The sites by label.
#[derive(Clone)]
pub(crate) struct Sites {
    origin: Origin,
    labels: Arc<Cached<OutputId, Arc<Known>>>,
    deployments: Arc<Cached<DeploymentId, Option<Arc<Published>>>>,
}

/// What is known of a label.
struct Known {
    /// The route record, if the label has one, and what the store calls it.
    route: Option<(ETag, DeploymentId)>,
    site: Site,
}

impl Sites {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, labels: Cached::new(CAPACITY), deployments: Cached::new(CAPACITY) }
    }

    /// The site that a label leads to.
    pub(crate) async fn find(&self, label: &OutputId) -> Result<Site, Fault> {
        let load = |known| self.clone().look_up(label.clone(), known);
        Ok(self.labels.get(label, load).await?.site.clone())
    }

    /// Makes the next request for a label wait for what it leads to now.
    pub(crate) fn invalidate(&self, label: &OutputId) {
        self.labels.invalidate(label);
    }

    /// Reads anew what a site consists of, because an object was not what its manifest says.
    pub(crate) fn reload(&self, label: &OutputId, published: &Published) {
        if let Ok(id) = published.manifest.id.as_str().parse() {
            self.deployments.invalidate(&id);
        }
        self.labels.invalidate(label);
    }

    async fn look_up(self, label: OutputId, known: Option<Arc<Known>>) -> Result<Loaded<Arc<Known>>, Fault> {
        let known = known.as_deref();
        let deployment: Option<DeploymentId> = label.as_str().parse().ok();
        if let Some(id) = &deployment
            && let Some(published) = self.deployment(id).await?
        {
            let weight = published.bytes;
            let site = Site::Published(published);
            return Ok(Loaded::for_ever(Arc::new(Known { route: None, site }), weight));
        }
        if let Some((etag, id)) = self.route(&label, known).await? {
            let missing = || Fault::Damaged(format!("`{label}` leads to `{id}`, which has no manifest"));
            let published = self.deployment(&id).await?.ok_or_else(missing)?;
            let weight = published.bytes;
            let known = Known { route: Some((etag, id)), site: Site::Published(published) };
            return Ok(Loaded::for_now(Arc::new(known), weight, FRESH));
        }
        let no_route = |site| Arc::new(Known { route: None, site });
        if deployment.is_some() {
            // Its files may be there already: a deployment is served when it is complete, not before.
            return Ok(Loaded::absence(no_route(Site::Absent), FRESH));
        }
        let known = known.and_then(|known| match &known.site {
            Site::Published(published) if known.route.is_none() => Some(Arc::clone(published)),
            _ => None,
        });
        Ok(match self.published(&label, known).await? {
            Some(published) => {
                let weight = published.bytes;
                Loaded::for_now(no_route(Site::Published(published)), weight, FRESH)
            }
            None => Loaded::for_now(no_route(Site::Plain(label)), 0, FRESH),
        })
    }

    /// The deployment that a label's route record names, with what the store calls the record.
    async fn route(
        &self,
        label: &OutputId,
        known: Option<&Known>,
    ) -> Result<Option<(ETag, DeploymentId)>, Fault> {
        let Some(key) = keys::route(label.as_str()) else { return Ok(None) };
        let known = known.and_then(|known| known.route.clone());
        Ok(match self.origin.record(&key, known.as_ref().map(|(etag, _)| etag.clone())).await? {
            Record::Absent => None,
            Record::Unchanged => known,
            Record::Read(etag, bytes) => Some((etag, parse::<Route>(&key, bytes).await?.deployment)),
        })
    }

    /// A deployment, if it is complete. Its absence is not kept here: a route may name it in the next moment.
    async fn deployment(&self, id: &DeploymentId) -> Result<Option<Arc<Published>>, Fault> {
        let load = |_| {
            let (sites, id) = (self.clone(), id.clone());
            async move {
                Ok(match sites.published(&id.into(), None).await? {
                    Some(published) => {
                        let weight = published.bytes;
                        Loaded::for_ever(Some(published), weight)
                    }
                    None => Loaded::absence(None, Duration::ZERO),
                })
            }
        };
        self.deployments.get(id, load).await
    }

    async fn published(
        &self,
        id: &OutputId,
        known: Option<Arc<Published>>,
    ) -> Result<Option<Arc<Published>>, Fault> {
        let key = keys::manifest(id);
        let etag = known.as_ref().map(|known| known.etag.clone());
        Ok(match self.origin.record(&key, etag).await? {
            Record::Absent => None,
            Record::Unchanged => known,
            Record::Read(etag, bytes) => {
                let size = bytes.len();
                let manifest: Manifest = parse(&key, bytes).await?;
                if manifest.id != *id {
                    let other = manifest.id;
                    return Err(Fault::Damaged(format!("`{key}` is the manifest of `{other}`")));
                }
                Some(Arc::new(Published { manifest, etag, bytes: size }))
            }
        })
    }
}

async fn parse<T: DeserializeOwned + Send + 'static>(key: &Key, bytes: Bytes) -> Result<T, Fault> {
    let damaged = |error: &dyn std::fmt::Display| Fault::Damaged(format!("cannot read `{key}`: {error}"));
    let parsed = if bytes.len() < LARGE {
        serde_json::from_slice(&bytes)
    } else {
        let parse = tokio::task::spawn_blocking(move || serde_json::from_slice(&bytes));
        parse.await.map_err(|error| damaged(&error))?
    };
    parsed.map_err(|error| damaged(&error))
}
