//! One visit to a site: from what is decided to the answer that is sent.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use gitdeploy_core::{OutputId, Route};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;

use crate::account::{Account, Decision};
use crate::body::{self, Body};
use crate::cache_policy::CachePolicy;
use crate::decide::{self, Answer, Question};
use crate::fault::Fault;
use crate::file::File;
use crate::grace;
use crate::handler::Inner;
use crate::host::Host;
use crate::location;
use crate::pages;
use crate::plain::Found;
use crate::redirects::Asked;
use crate::site::Published;
use crate::target::Target;
use crate::visitor::Visitor;

const METHODS: &str = "GET, HEAD, OPTIONS";

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
const ORIGIN_AGENT_CLUSTER: HeaderName = HeaderName::from_static("origin-agent-cluster");

const NOINDEX: HeaderValue = HeaderValue::from_static("noindex");
const YES: HeaderValue = HeaderValue::from_static("?1");

/// What a visitor asks for, and where.
#[derive(Clone, Copy)]
pub(crate) struct Visit<'a> {
    pub(crate) request: &'a Parts,
    /// Who asks, if anything is known of them.
    pub(crate) visitor: Option<&'a Visitor>,
    pub(crate) host: &'a Host<'a>,
    pub(crate) target: &'a Target<'a>,
}

impl Inner {
    /// The answer of a deployment. `route` is how the visitor got there, if it was by one.
    pub(crate) async fn published(
        &self,
        visit: &Visit<'_>,
        site: &Arc<Published>,
        route: Option<&Arc<Route>>,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        let question = visit.question();
        let mut outcome = decide::decide(site, &question);
        let mut graced = None;
        if outcome.answer == Answer::Missing {
            if let Some(route) = route {
                let found = grace::find(&self.sites, route, &visit.target.path, Timestamp::now());
                graced = Box::pin(found).await?;
            }
            if graced.is_none() {
                outcome = decide::missing(site, &question, outcome.varies);
            }
        }
        let rule = outcome.rule.and_then(|place| site.redirects.rule(place));
        account.redirect_line = rule.map(|rule| rule.line);
        account.note(|details| {
            details.redirect = rule.map(ToString::to_string);
            details.file_deployment = graced.as_ref().map(|(earlier, _)| earlier.manifest.id.clone());
        });
        account.decision = Some(if graced.is_some() { Decision::Grace } else { outcome.decision });
        let mut response = match (&graced, &outcome.answer) {
            (Some((earlier, file)), _) => {
                let mut response = self.file(visit, earlier, file, StatusCode::OK, None, account).await?;
                response.headers_mut().insert(X_ROBOTS_TAG, NOINDEX);
                response
            }
            (None, Answer::File(status, name)) => match site.file(name) {
                Some(file) => self.file(visit, site, &file, *status, route, account).await?,
                None => pages::not_found(&visit.target.path),
            },
            (None, Answer::Redirect(status, to)) => redirect(*status, to),
            (None, Answer::Options) => options(),
            (None, Answer::NotAllowed) => allowing(pages::method_not_allowed(), "GET, HEAD"),
            (None, Answer::Bare(status)) => pages::bare(*status),
            (None, Answer::Missing) => pages::not_found(&visit.target.path),
        };
        visit.tell_ours(&mut response);
        account.header_lines =
            site.header_rules.apply(&visit.host.text, &visit.target.rule_path, &mut response);
        // After the author's rules: a cache that is told too little shows visitors what is meant for others.
        outcome.varies.tell(&mut response);
        Ok(response)
    }

    /// The answer of a prefix that may have been filled without us.
    pub(crate) async fn plain(
        &self,
        visit: &Visit<'_>,
        id: &OutputId,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        let (path, query) = (&visit.target.path, visit.target.query);
        let found = match visit.request.method {
            Method::GET | Method::HEAD => self.plain.find(id, path).await?,
            ref method => {
                account.decision = Some(Decision::Method);
                return Ok(match *method {
                    Method::OPTIONS => options(),
                    _ => allowing(pages::method_not_allowed(), "GET, HEAD"),
                });
            }
        };
        let (decision, file, status) = match &found {
            Found::NoSite => {
                account.decision = Some(Decision::NoSite);
                return Ok(visit.no_site());
            }
            Found::Redirect(to) => {
                account.decision = Some(Decision::Address);
                return Ok(redirect(StatusCode::PERMANENT_REDIRECT, &location::within(to, query)));
            }
            Found::Missing(None) => {
                account.decision = Some(Decision::Missing);
                return Ok(pages::not_found(path));
            }
            Found::Missing(Some(page)) => (Decision::NotFoundPage, page, StatusCode::NOT_FOUND),
            Found::File(file) => (Decision::File, file, StatusCode::OK),
        };
        account.decision = Some(decision);
        let answer = match status {
            StatusCode::OK => self.files.answer(visit.request, file, None, account).await,
            _ => self.files.stand_in(visit.request, file, status, account).await,
        };
        if let Err(Fault::Outdated(_)) = answer {
            self.plain.forget(&file.stored.name.key);
        }
        let mut response = answer?;
        visit.tell_ours(&mut response);
        Ok(response)
    }

    /// A file of a deployment, with 200 as itself, else in the place of what was asked for.
    async fn file(
        &self,
        visit: &Visit<'_>,
        site: &Published,
        file: &Arc<File>,
        status: StatusCode,
        route: Option<&Arc<Route>>,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        let answer = match status {
            StatusCode::OK => self.files.answer(visit.request, file, route, account).await,
            _ => self.files.stand_in(visit.request, file, status, account).await,
        };
        if let Err(Fault::Outdated(_)) = answer {
            self.sites.reload(&visit.host.site, site);
        }
        answer
    }
}

impl<'a> Visit<'a> {
    /// That nothing is served at the host.
    pub(crate) fn no_site(&self) -> Response<Body> {
        pages::no_site(&self.host.text)
    }

    /// Where the visitor is; of a visitor about whom nothing is said, nowhere.
    pub(crate) fn address(&self) -> IpAddr {
        self.visitor.map_or(Ipv4Addr::UNSPECIFIED.into(), |visitor| visitor.address)
    }

    /// Whether the visitor's connection is encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.visitor.is_some_and(|visitor| visitor.is_secure)
    }

    fn question(&self) -> Question<'a> {
        let asked = Asked {
            host: &self.host.text,
            query: self.target.query,
            headers: &self.request.headers,
            country: self.visitor.and_then(|visitor| visitor.country.as_deref()),
        };
        Question { method: &self.request.method, target: self.target, asked }
    }

    /// What we say by ourselves, unless the site says otherwise.
    fn tell_ours(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        let is_page = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/html");
        if headers.get(CONTENT_TYPE).is_some_and(is_page) {
            headers.insert(ORIGIN_AGENT_CLUSTER, YES);
        }
        if self.host.site.is_preview() {
            headers.insert(X_ROBOTS_TAG, NOINDEX);
        }
    }
}

fn redirect(status: StatusCode, location: &str) -> Response<Body> {
    let Some(location) = location::header(location) else { return pages::internal_error() };
    let mut response = empty(status);
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, CachePolicy::Revalidate.header());
    headers.insert(CONTENT_LENGTH, 0.into());
    response
}

/// Which methods there are.
pub(crate) fn options() -> Response<Body> {
    allowing(empty(StatusCode::NO_CONTENT), METHODS)
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::full(""));
    *response.status_mut() = status;
    response
}

fn allowing(mut response: Response<Body>, methods: &'static str) -> Response<Body> {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}
