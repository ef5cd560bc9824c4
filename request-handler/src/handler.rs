//! From a request to an answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use gitdeploy_bus::RouteNews;
use gitdeploy_core::OutputId;
use gitdeploy_store::ObjectStore;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::body::{self, Bodies, Body};
use crate::cache_policy::CachePolicy;
use crate::config::Config;
use crate::fault::Fault;
use crate::host::{self, Domain, HostError};
use crate::metrics::Metrics;
use crate::origin::Origin;
use crate::pages;
use crate::plain::Plain;
use crate::representation::Representations;
use crate::site::{Found, Site};
use crate::sites::{Place, Sites};
use crate::target::Target;

/// Where a host that is none of a site's says that the proxy answers.
const HEALTH: &str = "/healthz";

/// What is encoded in the path of a `Location`. A `\` must be: browsers read it as `/`.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Answers requests from a store. Clones share their caches.
#[derive(Clone)]
pub struct Handler(Arc<Inner>);

struct Inner {
    domain: Domain,
    /// How long a visitor waits for the head of an answer.
    patience: Duration,
    sites: Sites,
    plain: Plain,
    files: Representations,
    metrics: Arc<Metrics>,
}

impl Handler {
    /// Answers from `store`, with empty caches.
    pub fn new(store: ObjectStore, config: &Config) -> Self {
        let metrics = Arc::new(Metrics::new());
        let origin = Origin::new(store, config.store(), Arc::clone(&metrics));
        let sites = Sites::new(origin.clone(), config.record_bytes);
        let bodies = Bodies::new(origin.clone(), config.cache_bytes);
        Self(Arc::new(Inner {
            domain: config.domain.clone(),
            patience: 2 * config.store(),
            files: Representations::new(bodies, sites.clone()),
            sites,
            plain: Plain::new(origin),
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

    /// Makes the next request for a label see what it leads to now.
    pub fn invalidate(&self, label: &str) {
        if let Ok(label) = label.parse() {
            self.0.sites.invalidate(&label);
        }
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

    /// Answers a request, whatever happens.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body> {
        let begin = Instant::now();
        let request = request.into_parts().0;
        let mut account = Account::default();
        let mut response = guarded(self.0.respond(&request, &mut account)).await;
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if request.method == Method::HEAD {
            *response.body_mut() = body::full("");
        }
        response.extensions_mut().insert(account);
        tracing::debug!(
            method = %request.method,
            host = ?request.headers.get(http::header::HOST),
            target = %request.uri,
            status = response.status().as_u16(),
            duration_ms = begin.elapsed().as_millis(),
            "answered"
        );
        response
    }
}

/// The answer, or the page for a panic: one request never takes others with it.
async fn guarded(answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| pages::internal_error())
}

impl Inner {
    async fn respond(&self, request: &Parts, account: &mut Account) -> Response<Body> {
        let label = match host::label(&request.uri, &request.headers, &self.domain) {
            Ok(label) => label,
            // A load balancer asks by our address, never by the name of a site: no site loses a path to it.
            Err(HostError::NotServed(_)) if request.uri.path() == HEALTH => return pages::alive(),
            Err(error) => return pages::host_refused(&error),
        };
        account.label = Some(label.clone());
        match request.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return allowing(no_content(), "GET, HEAD, OPTIONS"),
            _ => return allowing(pages::method_not_allowed(), "GET, HEAD"),
        }
        let target = match Target::parse(&request.uri) {
            Ok(target) => target,
            Err(error) => return pages::target_refused(error),
        };
        // One answer may take several requests to the store.
        let answer = tokio::time::timeout(self.patience, self.look(request, &label, &target, account)).await;
        answer.unwrap_or(Err(Fault::Timeout(self.patience))).unwrap_or_else(|fault| {
            tracing::debug!(%fault, label = label.as_str(), path = target.path, "cannot answer");
            pages::unavailable(&fault)
        })
    }

    /// What there is to see. A site that was replaced between its manifest and its file is known on a second look.
    async fn look(
        &self,
        request: &Parts,
        label: &OutputId,
        target: &Target,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        match self.visit(request, label, target, account).await {
            Err(Fault::Outdated(_)) => self.visit(request, label, target, account).await,
            answer => answer,
        }
    }

    async fn visit(
        &self,
        request: &Parts,
        label: &OutputId,
        target: &Target,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        let Place { site, route } = self.sites.find(label).await?;
        let found = match &site {
            Site::Published(published) => published.find(&target.path),
            Site::Plain(id) => self.plain.find(id, &target.path).await?,
            Site::Unfinished(status) => return Ok(pages::unfinished(status)),
            Site::Absent => Found::NoSite,
        };
        account.deployment = site.id().cloned();
        let file = match found {
            Found::NoSite => return Ok(pages::no_site(&format!("{label}.{}", self.domain))),
            Found::Redirect(path) => return Ok(redirect(&path, target.query.as_deref())),
            Found::Missing(None) => return Ok(pages::not_found(&target.path)),
            Found::File(ref file) | Found::Missing(Some(ref file)) => file,
        };
        let answer = match found {
            Found::Missing(_) => self.files.stand_in(request, file, StatusCode::NOT_FOUND, account).await,
            _ => self.files.answer(request, file, route.as_ref(), account).await,
        };
        if let Err(Fault::Outdated(_)) = answer {
            match &site {
                Site::Published(published) => self.sites.reload(label, published),
                Site::Plain(_) | Site::Unfinished(_) | Site::Absent => self.plain.forget(&file.stored.key),
            }
        }
        answer
    }
}

/// A redirect within the site to a decoded path that starts with exactly one `/`.
fn redirect(path: &str, query: Option<&str>) -> Response<Body> {
    let mut location = utf8_percent_encode(path, PATH).to_string();
    if let Some(query) = query {
        location.push('?');
        location.extend(utf8_percent_encode(query, CONTROLS));
    }
    let mut response = Response::new(body::full(""));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(LOCATION, text(&location));
    headers.insert(CACHE_CONTROL, CachePolicy::Revalidate.header());
    headers.insert(CONTENT_LENGTH, 0.into());
    response
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(body::full(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn allowing(mut response: Response<Body>, methods: &'static str) -> Response<Body> {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("digits and encoded text are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered() {
        let response = guarded(async { panic!("on purpose") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn a_location_stays_on_the_site() {
        for (path, query, expected) in [
            ("/a b/ü", None, "/a%20b/%C3%BC"),
            ("/\\example.com/", Some("a=%20&ü"), "/%5Cexample.com/?a=%20&%C3%BC"),
            ("/100%/[x]", Some(""), "/100%25/%5Bx%5D?"),
            ("/?#", None, "/%3F%23"),
        ] {
            assert_eq!(redirect(path, query).headers()[LOCATION], expected);
        }
    }
}
