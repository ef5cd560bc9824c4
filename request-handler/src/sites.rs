//! Which site a name leads to: a route's deployment, else a manifest of that name, else a plain prefix. The name of a
//! host outside our domain leads somewhere by a route alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_bus::TAKEN_FOR_GRANTED;
use gitdeploy_core::{BuildStatus, DeploymentId, Key, Manifest, OutputId, Route, keys};
use gitdeploy_store::ETag;
use serde::de::DeserializeOwned;

use crate::account::{FoundBy, Source, Trail};
use crate::cached::{Cached, Loaded};
use crate::fault::Fault;
use crate::hearing::Hearing;
use crate::origin::{Origin, Record};
use crate::site::{Published, Site};
use crate::site_name::SiteName;

/// How long what a name leads to is taken for granted while nobody tells of changes.
const FRESH: Duration = Duration::from_secs(1);

/// About what a route record takes in memory, in bytes.
const ROUTE: usize = 512;

/// What most names and what they lead to weigh, in bytes, about.
const NAME: u64 = 1 << 10;

/// What most manifests weigh, in bytes, about.
const MANIFEST: u64 = 64 << 10;

/// From which size on a record is parsed where it does not hold up other requests.
const LARGE: usize = 256 << 10;

/// The sites by name.
#[derive(Clone)]
pub(crate) struct Sites {
    origin: Origin,
    hearing: Hearing,
    names: Arc<Cached<SiteName, Known>>,
    deployments: Arc<Cached<DeploymentId, Option<Arc<Published>>>>,
}

/// What a name leads to, by which route, and how that was found out.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) site: Site,
    /// The route record, if the name has one.
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) trail: Trail,
}

/// What is known of a name.
#[derive(Clone)]
enum Known {
    /// It is the id of a complete deployment.
    Deployment(DeploymentId),
    /// It has a route record, which the store calls so.
    Route(Arc<ETag>, Arc<Route>),
    /// It is none of these.
    Site(Site),
}

impl Known {
    fn found_by(&self) -> Option<FoundBy> {
        Some(match self {
            Self::Deployment(_) => FoundBy::Deployment,
            Self::Route(..) => FoundBy::Route,
            Self::Site(Site::Published(_)) => FoundBy::Manifest,
            Self::Site(Site::Plain(_)) => FoundBy::Prefix,
            Self::Site(Site::Unfinished(_)) => FoundBy::Build,
            Self::Site(Site::Absent) => return None,
        })
    }
}

impl Sites {
    /// Keeps up to `names` bytes of what names lead to in memory, and up to `deployments` bytes of manifests.
    pub(crate) fn new(origin: Origin, names: u64, deployments: u64) -> Self {
        Self {
            origin,
            hearing: Hearing::default(),
            // A manifest may be as heavy as thousands of others together, and a name may lead to one without a route.
            names: Cached::new(names, NAME, names),
            deployments: Cached::new(deployments, MANIFEST, deployments),
        }
    }

    /// What a name leads to.
    pub(crate) async fn find(&self, name: &SiteName) -> Result<Place, Fault> {
        let load = |known| self.clone().look_up(name.clone(), known);
        let (known, source) = self.names.get_told(name, load).await?;
        let trail = Trail { by: known.found_by(), source, manifest: None };
        let (id, route) = match known {
            Known::Deployment(id) => (id, None),
            Known::Route(_, route) => (route.deployment.clone(), Some(route)),
            Known::Site(site) => return Ok(Place { site, route: None, trail }),
        };
        let (site, source) = self.complete(name, &id).await?;
        Ok(Place { site, route, trail: Trail { manifest: Some(source), ..trail } })
    }

    /// The route that says who may see what a name leads to, if not everybody may: the name's own, else that of its
    /// project, so that no other host shows what that one hides.
    pub(crate) async fn protecting(
        &self,
        name: &SiteName,
        place: &Place,
    ) -> Result<Option<Arc<Route>>, Fault> {
        if let Some(route) = place.route.as_ref().filter(|route| !route.protection.is_open()) {
            return Ok(Some(Arc::clone(route)));
        }
        let project = place.route.as_ref().map(|route| &route.project).or(place.site.project());
        let Some(project) = project.filter(|project| project.as_str() != name.as_str()) else {
            return Ok(None);
        };
        let project = SiteName::Label(project.clone().into());
        let load = |known| self.clone().look_up(project.clone(), known);
        Ok(match self.names.get(&project, load).await? {
            Known::Route(_, route) if !route.protection.is_open() => Some(route),
            Known::Route(..) | Known::Deployment(_) | Known::Site(_) => None,
        })
    }

    /// How many bytes and values the caches of names and of deployments hold, about.
    pub(crate) fn held(&self) -> ((u64, u64), (u64, u64)) {
        (self.names.held(), self.deployments.held())
    }

    /// Makes the next request for a name wait for what it leads to now.
    pub(crate) fn invalidate(&self, name: &SiteName) {
        self.names.invalidate(name);
    }

    /// Whether we are told of every route that moves.
    pub(crate) fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    /// Reads anew what a site consists of, because an object was not what its manifest says.
    pub(crate) fn reload(&self, name: &SiteName, published: &Published) {
        if let Ok(id) = published.manifest.id.as_str().parse() {
            self.deployments.invalidate(&id);
        }
        self.names.invalidate(name);
    }

    async fn look_up(self, name: SiteName, known: Option<Known>) -> Result<Loaded<Known>, Fault> {
        let told = self.hearing.now();
        let deployment = name.deployment();
        if let Some(id) = &deployment
            && self.deployment(id).await?.is_some()
        {
            return Ok(Loaded::for_ever(Known::Deployment(id.clone()), 0));
        }
        let (known_route, known_site) = match known {
            Some(Known::Route(etag, route)) => (Some((etag, route)), None),
            Some(Known::Site(Site::Published(published))) => (None, Some(published)),
            _ => (None, None),
        };
        if let Some((etag, route)) = self.route(&name, known_route).await? {
            let known = Known::Route(etag, route);
            return Ok(Loaded::for_now(known, ROUTE, FRESH).or_while_told(told, TAKEN_FOR_GRANTED));
        }
        let SiteName::Label(label) = name else {
            return Ok(Loaded::absence(Known::Site(Site::Absent), FRESH));
        };
        if deployment.is_none()
            && let Some(published) = self.published(&label, known_site).await?
        {
            let weight = published.weight();
            return Ok(Loaded::for_now(Known::Site(Site::Published(published)), weight, FRESH));
        }
        if let Some(status) = self.build_status(&label).await? {
            return Ok(Loaded::absence(Known::Site(Site::Unfinished(Arc::new(status))), FRESH));
        }
        Ok(match deployment {
            // Its files may be there already: a deployment is served when it is complete, not before.
            Some(_) => Loaded::absence(Known::Site(Site::Absent), FRESH),
            None => Loaded::for_now(Known::Site(Site::Plain(label)), 0, FRESH),
        })
    }

    /// The route record of a name, with what the store calls it.
    async fn route(
        &self,
        name: &SiteName,
        known: Option<(Arc<ETag>, Arc<Route>)>,
    ) -> Result<Option<(Arc<ETag>, Arc<Route>)>, Fault> {
        let Some(key) = keys::route(name.as_str()) else { return Ok(None) };
        Ok(match self.origin.record(&key, known.as_ref().map(|(etag, _)| ETag::clone(etag))).await? {
            Record::Absent => None,
            Record::Unchanged => known,
            Record::Read(etag, bytes) => Some((Arc::new(etag), Arc::new(parse(&key, bytes).await?))),
        })
    }

    /// How the build stands that a label waits for. A record that cannot be read is none: it is only told.
    async fn build_status(&self, label: &OutputId) -> Result<Option<BuildStatus>, Fault> {
        let Some(key) = keys::build_status(label.as_str()) else { return Ok(None) };
        Ok(match self.origin.record(&key, None).await? {
            Record::Absent | Record::Unchanged => None,
            Record::Read(_, bytes) => parse(&key, bytes).await.ok(),
        })
    }

    /// A deployment that must be complete, since `name` leads to it.
    async fn complete(&self, name: &SiteName, id: &DeploymentId) -> Result<(Site, Source), Fault> {
        let missing = || Fault::Damaged(format!("`{name}` leads to `{id}`, which has no manifest"));
        let (published, source) = self.deployment_told(id).await?;
        Ok((Site::Published(published.ok_or_else(missing)?), source))
    }

    /// A deployment, if it is complete. Its absence is not kept here: a route may name it in the next moment.
    pub(crate) async fn deployment(&self, id: &DeploymentId) -> Result<Option<Arc<Published>>, Fault> {
        Ok(self.deployment_told(id).await?.0)
    }

    /// The same, and where it came from.
    async fn deployment_told(&self, id: &DeploymentId) -> Result<(Option<Arc<Published>>, Source), Fault> {
        let load = |_| {
            let (sites, id) = (self.clone(), id.clone());
            async move {
                Ok(match sites.published(&id.into(), None).await? {
                    Some(published) => {
                        let weight = published.weight();
                        Loaded::for_ever(Some(published), weight)
                    }
                    None => Loaded::absence(None, Duration::ZERO),
                })
            }
        };
        self.deployments.get_told(id, load).await
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
                Some(Arc::new(Published::new(manifest, etag, size)))
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
