//! From a request to an answer.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use gitdeploy_bus::RouteNews;
use gitdeploy_core::Password;
use gitdeploy_store::ObjectStore;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::account::{Account, Decision};
use crate::body::{self, Bodies, Body};
use crate::cache_policy;
use crate::config::Config;
use crate::explanation;
use crate::fault::Fault;
use crate::gate::{self, Gate, Passage};
use crate::grants::Grants;
use crate::host::{self, Domain, HostError};
use crate::metrics::{Metrics, Refused};
use crate::origin::Origin;
use crate::pages;
use crate::plain::Plain;
use crate::representation::Representations;
use crate::site::Site;
use crate::sites::{Place, Sites};
use crate::target::{Target, TargetError};
use crate::visit::{self, Visit};
use crate::visitor::Visitor;

/// Where a host that is none of a site's says that the proxy answers.
const HEALTH: &str = "/healthz";

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Answers requests from a store. Clones share their caches.
#[derive(Clone)]
pub struct Handler(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    domain: Domain,
    /// How long a visitor waits for the head of an answer.
    patience: Duration,
    pub(crate) sites: Sites,
    pub(crate) plain: Plain,
    pub(crate) files: Representations,
    gate: Gate,
    grants: Grants,
    metrics: Arc<Metrics>,
}

impl Handler {
    /// Answers from `store`, with empty caches.
    pub fn new(store: ObjectStore, config: &Config) -> Self {
        let metrics = Arc::new(Metrics::new());
        let origin = Origin::new(store, config.store(), Arc::clone(&metrics));
        let sites = Sites::new(origin.clone(), config.route_bytes, config.manifest_bytes);
        let bodies = Bodies::new(origin.clone(), config.cache_bytes);
        Self(Arc::new(Inner {
            domain: config.domain.clone(),
            patience: 2 * config.store(),
            files: Representations::new(bodies, sites.clone()),
            sites,
            plain: Plain::new(origin.clone()),
            grants: Grants::new(origin),
            gate: Gate::default(),
            metrics,
        }))
    }

    /// Follows the news of routes until `stopping`: the next request for a label that has moved sees what it leads to
    /// now, and while we listen, routes of which nothing is heard are not asked for again so soon.
    pub async fn follow(
        self,
        mut news: BoxStream<'static, RouteNews>,
        stopping: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let news = tokio::select! {
                news = news.next() => news,
                () = stopping.cancelled() => return Ok(()),
            };
            match news {
                Some(RouteNews::Listening) => self.0.sites.hearing().begin(),
                Some(RouteNews::Moved(label)) => self.invalidate(&label),
                Some(RouteNews::Deaf) => self.0.sites.hearing().end(),
                None => {
                    self.0.sites.hearing().end();
                    return Ok(());
                }
            }
        }
    }

    /// Makes the next request for a name, a label or a whole host, see what it leads to now.
    pub fn invalidate(&self, name: &str) {
        let Ok(name) = name.parse();
        self.0.sites.invalidate(&name);
    }

    /// Where this proxy counts.
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.metrics)
    }

    /// What was counted so far, and how much the caches hold now, as Prometheus reads it.
    pub(crate) fn metrics_text(&self) -> String {
        let (labels, deployments) = self.0.sites.held();
        for (cache, (bytes, entries)) in
            [("labels", labels), ("deployments", deployments), ("files", self.0.files.held())]
        {
            self.0.metrics.cache_holds(cache, bytes, entries);
        }
        self.0.metrics.text()
    }

    /// Answers a request, whatever happens. Of its body only a form with a site's password is read.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut request, body) = request.into_parts();
        self.tell(&mut request, body, None, &mut Account::default()).await
    }

    /// Answers a request of a visitor, of whom something is known or not, and notes in `account` how it came to the answer.
    pub(crate) async fn tell<B>(
        &self,
        request: &mut Parts,
        body: B,
        visitor: Option<&Visitor>,
        account: &mut Account,
    ) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if self.0.grants.admit(request, &self.0.domain).await {
            account.details = Some(Box::default());
        }
        let mut response = guarded(self.0.respond(request, visitor, body, account)).await;
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        if request.method == Method::HEAD {
            *response.body_mut() = body::full("");
        }
        tracing::debug!(
            method = %request.method,
            host = ?request.headers.get(http::header::HOST),
            target = %request.uri,
            status = response.status().as_u16(),
            decision = account.decision.map(Decision::name),
            redirect_line = account.redirect_line,
            header_lines = ?account.header_lines,
            "answered"
        );
        explanation::tell(account, &mut response);
        response
    }
}

/// The answer, or the page for a panic: one request never takes others with it.
fn guarded(answer: impl Future<Output = Response<Body>>) -> impl Future<Output = Response<Body>> {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    answer.map(|outcome| outcome.unwrap_or_else(|_| pages::internal_error()))
}

/// What a visitor comes to.
enum Sight {
    /// The answer.
    Answer(Response<Body>),
    /// A site that this password opens.
    Locked(Password),
}

impl Inner {
    async fn respond<B>(
        &self,
        request: &Parts,
        visitor: Option<&Visitor>,
        body: B,
        account: &mut Account,
    ) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let host = match host::asked(&request.uri, &request.headers, &self.domain) {
            Ok(host) => host,
            // A load balancer asks by our address, never by the name of a site: no site loses a path to it.
            Err(HostError::NotServed(_)) if request.uri.path() == HEALTH => return pages::alive(),
            Err(error) => return pages::host_refused(&error),
        };
        account.site = Some(host.site.clone());
        let target = match Target::parse(&request.uri) {
            Ok(target) => target,
            // `OPTIONS *` is about the server (RFC 9110 §9.3.7).
            Err(TargetError::NoPath) if request.method == Method::OPTIONS => return visit::options(),
            Err(error) => {
                account.decision = Some(Decision::Malformed);
                return pages::target_refused(error);
            }
        };
        let visit = Visit { request, visitor, host: &host, target: &target };
        // One answer may take several requests to the store.
        let sight = tokio::time::timeout(self.patience, self.look(&visit, account)).await;
        match sight.unwrap_or(Err(Fault::Timeout(self.patience))) {
            Ok(Sight::Answer(response)) => response,
            Ok(Sight::Locked(password)) => {
                let response = Box::pin(self.gate.answer(&visit, &password, body)).await;
                if matches!(
                    response.status(),
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                ) {
                    self.metrics.refused(Refused::Guesses);
                }
                response
            }
            Err(fault) => {
                tracing::debug!(%fault, host = &*host.text, path = &*target.path, "cannot answer");
                account.decision = Some(Decision::Fault);
                account.note(|details| details.fault = Some(fault.to_string()));
                pages::unavailable(&fault)
            }
        }
    }

    /// What there is to see. A site that was replaced between its manifest and its file is known on a second look.
    async fn look(&self, visit: &Visit<'_>, account: &mut Account) -> Result<Sight, Fault> {
        match self.visit(visit, account).await {
            Err(Fault::Outdated(_)) => Box::pin(self.visit(visit, account)).await,
            answer => answer,
        }
    }

    /// What is at the host, as far as the visitor may see it.
    async fn visit(&self, visit: &Visit<'_>, account: &mut Account) -> Result<Sight, Fault> {
        let place = self.sites.find(&visit.host.site).await?;
        account.deployment = place.site.id().cloned();
        account.note(|details| (details.trail, details.route) = (Some(place.trail), place.route.clone()));
        let Some(protecting) = self.sites.protecting(&visit.host.site, &place).await? else {
            return self.site(visit, &place, account).await.map(Sight::Answer);
        };
        match Passage::of(&protecting.protection, visit, Timestamp::now()) {
            Passage::Closed => {
                account.decision = Some(Decision::Maintenance);
                Ok(Sight::Answer(pages::maintenance()))
            }
            Passage::Locked(password) => {
                account.decision = Some(Decision::Password);
                Ok(Sight::Locked(password.clone()))
            }
            Passage::Free => {
                let mut response = self.site(visit, &place, account).await?;
                // The page that asked for the password was still open in another tab.
                if response.status() == StatusCode::METHOD_NOT_ALLOWED && gate::is_form(visit) {
                    response = gate::again(visit);
                }
                cache_policy::keep_private(response.headers_mut());
                Ok(Sight::Answer(response))
            }
        }
    }

    async fn site(
        &self,
        visit: &Visit<'_>,
        Place { site, route, .. }: &Place,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        match site {
            Site::Published(published) => self.published(visit, published, route.as_ref(), account).await,
            Site::Plain(id) => Box::pin(self.plain(visit, id, account)).await,
            Site::Unfinished(status) => {
                account.decision = Some(Decision::Unfinished);
                Ok(pages::unfinished(status))
            }
            Site::Absent => {
                account.decision = Some(Decision::NoSite);
                Ok(visit.no_site())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http::header::CACHE_CONTROL;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered() {
        let response = guarded(async { panic!("on purpose") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }
}
