//! How long others may keep an answer: the only place that writes `Cache-Control`.

use gitdeploy_core::manifest::Caching;
use http::header::{CACHE_CONTROL, EXPIRES, HeaderName};
use http::{HeaderMap, HeaderValue};

/// What is meant for caches of one kind, which pass `Cache-Control` over then (RFC 9213); authors may set it.
const TARGETED: &str = "-cache-control";
const SURROGATE: HeaderName = HeaderName::from_static("surrogate-control");

/// What is said about keeping an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CachePolicy {
    /// Keep it for a year and never ask: a file whose name comes from its content, and only when it is found, since
    /// another deployment may bring what is missing.
    Immutable,
    /// Keep it, and ask whether it is still right before each use: whatever the next deployment may change,
    /// which is every file whose name does not come from its content, and every redirect.
    Revalidate,
    /// As above, but only for the visitor who asked: what depends on the visitor's country.
    Private,
    /// Do not keep it: errors, since the next answer may be a good one.
    Never,
}

impl CachePolicy {
    /// What is said of a file that is found.
    pub(crate) fn of(caching: Caching) -> Self {
        match caching {
            Caching::Immutable => Self::Immutable,
            Caching::Revalidate => Self::Revalidate,
        }
    }

    /// The value of `Cache-Control`.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Immutable => "public, max-age=31536000, immutable",
            Self::Revalidate => "public, max-age=0, must-revalidate",
            Self::Private => "private, max-age=0, must-revalidate",
            Self::Never => "no-store",
        })
    }
    /// Says it in the place of all that is said already, to whomever.
    pub(crate) fn overrule(self, headers: &mut HeaderMap) {
        let targeted: Vec<_> =
            headers.keys().filter(|name| name.as_str().ends_with(TARGETED)).cloned().collect();
        for name in targeted.iter().chain([&SURROGATE, &EXPIRES]) {
            headers.remove(name);
        }
        headers.insert(CACHE_CONTROL, self.header());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overruled_is_said_to_nobody() {
        let said = [
            ("cache-control", "public, max-age=60"),
            ("cdn-cache-control", "max-age=60"),
            ("cloudflare-cdn-cache-control", "max-age=60"),
            ("surrogate-control", "max-age=60"),
            ("expires", "Sat, 28 Nov 2026 12:00:00 GMT"),
            ("x-frame-options", "DENY"),
        ];
        let said = said.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let mut headers: HeaderMap = said.into_iter().collect();
        headers.append(CACHE_CONTROL, HeaderValue::from_static("s-maxage=60"));
        CachePolicy::Never.overrule(&mut headers);
        let left: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(left, [("cache-control", "no-store"), ("x-frame-options", "DENY")]);
    }
}
