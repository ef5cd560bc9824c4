//! From a file to the answer that carries it: conditions, ranges, and what is said of the content.

use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::account::Account;
use crate::body::{self, Bodies, Body};
use crate::cache_policy::CachePolicy;
use crate::fault::Fault;
use crate::pages;
use crate::range::{self, Selection};
use crate::site::File;
use crate::validators::{self, Verdict};

/// Files as they are sent to visitors.
pub(crate) struct Representations {
    bodies: Bodies,
}

impl Representations {
    pub(crate) fn new(bodies: Bodies) -> Self {
        Self { bodies }
    }

    /// How many bytes and files are in memory, about.
    pub(crate) fn held(&self) -> (u64, u64) {
        self.bodies.held()
    }

    /// The answer to a request for a file: 200, 206, 304, 412 or 416.
    pub(crate) async fn answer(
        &self,
        request: &Parts,
        file: &File,
        account: &mut Account,
    ) -> Result<Response<Body>, Fault> {
        account.file = Some(file.path.clone());
        let mut selection = Selection::Whole;
        if let Some(tag) = &file.tag {
            match validators::check(&request.headers, tag) {
                Verdict::Failed => return Ok(pages::precondition_failed()),
                Verdict::NotModified => return Ok(about(file, StatusCode::NOT_MODIFIED, body::full(""))),
                Verdict::Proceed => selection = range::select(&request.headers, tag, file.bytes),
            }
        }
        let part = match selection {
            Selection::Whole => None,
            Selection::Part(part) => Some(part),
            Selection::Unsatisfiable => {
                let mut response = pages::range_not_satisfiable(file.bytes);
                response.headers_mut().insert(CONTENT_RANGE, text(&format!("bytes */{}", file.bytes)));
                return Ok(response);
            }
        };
        let body = match request.method {
            Method::HEAD => body::full(""),
            _ => self.bodies.open(file, part, account).await?,
        };
        let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut response = about(file, status, body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, file.content_type.clone());
        headers.insert(CONTENT_LENGTH, part.map_or(file.bytes, |part| part.end - part.start + 1).into());
        if let Some(part) = part {
            let range = format!("bytes {}-{}/{}", part.start, part.end, file.bytes);
            headers.insert(CONTENT_RANGE, text(&range));
        }
        Ok(response)
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
        let body = match request.method {
            Method::HEAD => body::full(""),
            _ => self.bodies.open(file, None, account).await?,
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, file.content_type.clone());
        headers.insert(CONTENT_LENGTH, file.bytes.into());
        headers.insert(CACHE_CONTROL, CachePolicy::Never.header());
        Ok(response)
    }
}

/// An answer with what is said of a file whatever part of it is sent, and also with 304 (RFC 9110 §15.4.5).
fn about(file: &File, status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, CachePolicy::Revalidate.header());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(tag) = &file.tag {
        headers.insert(ETAG, tag.header());
    }
    response
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("digits and marks are visible ASCII")
}
