//! From a file to the answer that carries it: conditions, ranges, and what is said of the content.

use std::sync::Arc;

use gitdeploy_core::Route;
use gitdeploy_store::ByteRange;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, LINK, RANGE, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::account::Account;
use crate::body::{self, Bodies, Body};
use crate::cache_policy::CachePolicy;
use crate::coding::Accepted;
use crate::dictionaries::Dictionaries;
use crate::dictionary::{self, AVAILABLE_DICTIONARY, USE_AS_DICTIONARY};
use crate::digest::{self, REPR_DIGEST};
use crate::fault::Fault;
use crate::file::File;
use crate::multipart::Multipart;
use crate::negotiate::{Representation, is_taken, negotiated};
use crate::pages;
use crate::range::{self, Selection};
use crate::sites::Sites;
use crate::validators::{self, EntityTag, Verdict};

const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// As many headers as most answers have, so that room for them is made once.
const MOST_HEADERS: usize = 12;

/// Files as they are sent to visitors.
pub(crate) struct Representations {
    bodies: Bodies,
    dictionaries: Dictionaries,
}

impl Representations {
    pub(crate) fn new(bodies: Bodies, sites: Sites) -> Self {
        let dictionaries = Dictionaries::new(sites, bodies.clone());
        Self { bodies, dictionaries }
    }

    /// How many bytes and files are in memory, about.
    pub(crate) fn held(&self) -> (u64, u64) {
        self.bodies.held()
    }

    /// The answer to a request for a file: 200, 206, 304, 412 or 416. A `route` has earlier deployments, of which
    /// visitors may have files.
    pub(crate) async fn answer(
        &self,
        request: &Parts,
        file: &Arc<File>,
        route: Option<&Arc<Route>>,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        account.file = Some(file.path.clone());
        let headers = &request.headers;
        let accepted = Accepted::of(headers);
        // Parts are always parts of the file as it is: they fit together, whoever asks for them.
        let chosen = if headers.contains_key(RANGE) {
            Representation::Identity(&file.stored)
        } else {
            negotiated(file, accepted)
        };
        let mut selection = Selection::Whole;
        if let Some(tag) = chosen.tag(file) {
            // What a visitor has already is the best representation, if they still take it.
            let held = validators::held(headers, |tag| is_taken(file, accepted, tag));
            let tag = held.as_ref().unwrap_or(tag);
            match validators::check(headers, tag, file.published) {
                Verdict::Failed => return Ok(pages::precondition_failed()),
                Verdict::NotModified => return Ok(not_modified(file, tag)),
                Verdict::Proceed => selection = range::select(headers, tag, file.stored.bytes),
            }
        }
        match selection {
            Selection::Whole => {
                let made = self.with_dictionary(request, file, route, accepted).await;
                let answer = self.whole(request, file, made.unwrap_or(chosen), StatusCode::OK, account);
                let mut response = answer.await?;
                say_policy(&mut response, file);
                if let Some(dictionary) = &file.dictionary {
                    response.headers_mut().insert(USE_AS_DICTIONARY, dictionary.clone());
                }
                Ok(response)
            }
            Selection::Part(part) => self.part(request, file, part, account).await,
            Selection::Parts(parts) => Box::pin(self.parts(request, file, parts, account)).await,
            Selection::Unsatisfiable => {
                let mut response = pages::range_not_satisfiable(file.stored.bytes);
                response.headers_mut().insert(CONTENT_RANGE, range::unsatisfied(file.stored.bytes));
                Ok(response)
            }
        }
    }

    /// A file in the place of what was asked for, with a status that says so, such as the site's own page for
    /// what it has not. Conditions and ranges do not apply to it (RFC 9110 §13.2.1).
    pub(crate) async fn stand_in(
        &self,
        request: &Parts,
        file: &File,
        status: StatusCode,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        account.file = Some(file.path.clone());
        let chosen = negotiated(file, Accepted::of(&request.headers));
        let mut response = self.whole(request, file, chosen, status, account).await?;
        let headers = response.headers_mut();
        headers.remove(ETAG);
        headers.insert(CACHE_CONTROL, CachePolicy::Never.header());
        Ok(response)
    }

    /// All of a file. If the copy that was chosen is not in the store, the file is sent as it is.
    async fn whole(
        &self,
        request: &Parts,
        file: &File,
        chosen: Representation<'_>,
        status: StatusCode,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        let (chosen, body) = match self.open(request, &chosen, account).await {
            Ok(body) => (chosen, body),
            Err(fault @ Fault::Outdated(_)) if matches!(chosen, Representation::Variant(_)) => {
                tracing::warn!(%fault, path = %file.path, "a compressed copy is missing; the file is sent as it is");
                let identity = Representation::Identity(&file.stored);
                let body = self.open(request, &identity, account).await?;
                (identity, body)
            }
            Err(fault) => return Err(fault),
        };
        account.encoding = chosen.coding();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(MOST_HEADERS);
        headers.insert(CONTENT_TYPE, file.content_type.clone());
        headers.insert(CONTENT_LENGTH, chosen.bytes().into());
        if let Some(coding) = chosen.coding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        }
        if let Some(tag) = chosen.tag(file) {
            headers.insert(ETAG, tag.header());
        }
        if let Some(digest) = chosen.digest().filter(|_| digest::is_wanted(&request.headers)) {
            headers.insert(REPR_DIGEST, digest.clone());
        }
        if let Some(link) = file.link.as_ref().filter(|_| status == StatusCode::OK) {
            headers.insert(LINK, link.clone());
        }
        say_vary(&mut response, file);
        Ok(response)
    }

    /// One part of a file.
    async fn part(
        &self,
        request: &Parts,
        file: &File,
        part: ByteRange,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        let body = match request.method {
            Method::HEAD => body::full(""),
            _ => self.bodies.open(&file.stored, Some(part), account).await?,
        };
        let mut response = partial(request, file, body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, file.content_type.clone());
        headers.insert(CONTENT_LENGTH, range::length(part).into());
        headers.insert(CONTENT_RANGE, range::content_range(part, file.stored.bytes));
        Ok(response)
    }

    /// Several parts of a file.
    async fn parts(
        &self,
        request: &Parts,
        file: &File,
        parts: Vec<ByteRange>,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        let Multipart { content_type, parts, tail, bytes } = Multipart::new(file, parts);
        let body = match request.method {
            Method::HEAD => body::full(""),
            _ => self.bodies.open_parts(&file.stored, parts, tail, account).await?,
        };
        let mut response = partial(request, file, body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, bytes.into());
        Ok(response)
    }

    /// The file compressed with what the visitor has, if they have something that helps. The answer to HEAD would be
    /// as much work.
    async fn with_dictionary<'a>(
        &self,
        request: &Parts,
        file: &'a Arc<File>,
        route: Option<&Arc<Route>>,
        accepted: Accepted,
    ) -> Option<Representation<'a>> {
        let has_range = request.headers.contains_key(RANGE);
        if !accepted.prefers_dictionary() || file.dictionary.is_none() || has_range {
            return None;
        }
        let wanted = dictionary::available(&request.headers).filter(|_| request.method == Method::GET)?;
        let made = Box::pin(self.dictionaries.compressed(file, wanted, route?)).await?;
        let tag = file.tag.as_ref()?.with_suffix(&dictionary::suffix(&wanted));
        Some(Representation::Made(made, tag))
    }

    async fn open(
        &self,
        request: &Parts,
        chosen: &Representation<'_>,
        account: &mut Account,
    ) -> Result<Body, Fault> {
        if request.method == Method::HEAD {
            return Ok(body::full(""));
        }
        match chosen {
            Representation::Identity(stored) => self.bodies.open(stored, None, account).await,
            Representation::Variant(variant) => self.bodies.open(&variant.stored, None, account).await,
            Representation::Made(bytes, _) => Ok(body::full(bytes.clone())),
        }
    }
}

/// An answer to a visitor who has it (RFC 9110 §15.4.5).
fn not_modified(file: &File, tag: &EntityTag) -> Response<Body> {
    let mut response = Response::new(body::full(""));
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(ETAG, tag.header());
    say_vary(&mut response, file);
    say_policy(&mut response, file);
    response
}

/// An answer with less than the whole file, which is sent as it is.
fn partial(request: &Parts, file: &File, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let headers = response.headers_mut();
    if let Some(tag) = &file.tag {
        headers.insert(ETAG, tag.header());
    }
    if let Some(digest) = file.stored.digest.as_ref().filter(|_| digest::is_wanted(&request.headers)) {
        headers.insert(REPR_DIGEST, digest.clone());
    }
    say_vary(&mut response, file);
    say_policy(&mut response, file);
    response
}

/// What is said of a file that is found, whatever part of it is sent.
fn say_policy(response: &mut Response<Body>, file: &File) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, file.policy.header());
    headers.insert(ACCEPT_RANGES, BYTES);
}

/// Says what of a request another representation would depend on, also where this one is sent as it is.
fn say_vary(response: &mut Response<Body>, file: &File) {
    if file.variants.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    headers.append(VARY, ACCEPT_ENCODING.into());
    if file.dictionary.is_some() {
        headers.append(VARY, AVAILABLE_DICTIONARY.into());
    }
}
