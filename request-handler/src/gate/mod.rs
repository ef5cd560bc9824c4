//! What stands before a site that has a password or is in maintenance: nothing of the site is read, told or redirected
//! to until a visitor is past it.

mod cookie;
mod form;
mod guesses;
mod rate;

use std::error::Error;

use bytes::Bytes;
use gitdeploy_core::{Password, Protection};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION, SET_COOKIE};
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;

use crate::body::{self, Body};
use crate::cache_policy::CachePolicy;
use crate::connection;
use crate::location::{self, Destination};
use crate::pages::{self, Asking};
use crate::visit::Visit;
use guesses::{Guesses, Refusal};

/// Lets visitors in who know the password.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    guesses: Guesses,
}

/// Whether a visitor may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage<'a> {
    /// They have given the password.
    Free,
    /// They have to give this password.
    Locked(&'a Password),
    /// The site is being worked on.
    Closed,
}

impl<'a> Passage<'a> {
    /// Whether a visitor may pass who comes `now`.
    pub(crate) fn of(protection: &'a Protection, visit: &Visit<'_>, now: Timestamp) -> Self {
        if protection.maintenance {
            return Self::Closed;
        }
        let (site, headers) = (&visit.host.site, &visit.request.headers);
        match &protection.password {
            Some(password) if cookie::opens(headers, visit.is_secure(), password, site, now) => Self::Free,
            Some(password) => Self::Locked(password),
            None => Self::Free,
        }
    }
}

impl Gate {
    /// Looks at the password if there is one in the request, and asks for one otherwise.
    pub(crate) async fn answer<B>(&self, visit: &Visit<'_>, password: &Password, body: B) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        match self.admit(visit, password, body).await {
            Ok(()) => {
                let cookie = cookie::set(visit.is_secure(), password, &visit.host.site, Timestamp::now());
                let mut response = again(visit);
                response.headers_mut().insert(SET_COOKIE, cookie);
                response
            }
            Err(asking) => pages::password(asking),
        }
    }

    async fn admit<B>(&self, visit: &Visit<'_>, password: &Password, body: B) -> Result<(), Asking>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if !is_form(visit) {
            return Err(Asking::First);
        }
        if !form::is_of(&visit.request.headers, &visit.host.text) {
            return Err(Asking::Foreign);
        }
        let given = form::password(body, connection::HEAD).await?.ok_or(Asking::First)?;
        let address = connection::holder(visit.address());
        match self.guesses.is_right(password, given, address).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Asking::Wrong),
            Err(Refusal::TooOften(wait)) => Err(Asking::TooOften(wait)),
            Err(Refusal::Busy) => Err(Asking::Busy),
        }
    }
}

/// Whether a request brings a form, as the page sends it.
pub(crate) fn is_form(visit: &Visit<'_>) -> bool {
    visit.request.method == Method::POST && form::is_form(&visit.request.headers)
}

/// Leads to the path and the query that the form was sent to, which are those that the page was shown at.
pub(crate) fn again(visit: &Visit<'_>) -> Response<Body> {
    let target = Destination::of(&visit.target.rule_path, &visit.host.text).location(visit.target.query);
    let mut response = Response::new(body::full(""));
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location::header(&target).unwrap_or(HeaderValue::from_static("/")));
    headers.insert(CACHE_CONTROL, CachePolicy::Never.header());
    headers.insert(CONTENT_LENGTH, 0.into());
    response
}
