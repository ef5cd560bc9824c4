//! What of a request an answer depends on, beside its address.

use http::header::{ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, HeaderName, VARY};
use http::{HeaderMap, HeaderValue, Response};

use crate::cache_policy::CachePolicy;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What of a request an answer depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Varies {
    /// A rule asks for the visitor's language.
    pub(crate) by_language: bool,
    /// A rule asks for the visitor's country.
    pub(crate) by_country: bool,
    /// A page is shown to those who open one, and not to scripts.
    pub(crate) by_purpose: bool,
}

impl Varies {
    /// Says so in an answer. No header of a request tells the country, so that no shared cache may keep what depends
    /// on it.
    pub(crate) fn tell<B>(self, response: &mut Response<B>) {
        if self == Self::default() {
            return;
        }
        let headers = response.headers_mut();
        if self.by_language {
            vary(headers, &ACCEPT_LANGUAGE);
        }
        if self.by_purpose {
            vary(headers, &ACCEPT);
            vary(headers, &SEC_FETCH_MODE);
        }
        let is_kept = headers.get(CACHE_CONTROL).is_some_and(|value| *value != CachePolicy::Never.header());
        if self.by_country && is_kept {
            headers.insert(CACHE_CONTROL, CachePolicy::Private.header());
        }
    }
}

fn vary(headers: &mut HeaderMap, name: &HeaderName) {
    headers.append(VARY, HeaderValue::from_name(name.clone()));
}
