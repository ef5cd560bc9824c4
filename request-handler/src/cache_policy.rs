//! How long others may keep an answer: the only place that writes `Cache-Control`.

use gitdeploy_core::manifest::Caching;
use http::header::{CACHE_CONTROL, EXPIRES};
use http::{HeaderMap, HeaderValue};

/// What is said about keeping an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CachePolicy {
    /// Keep it for a year and never ask: a file whose name comes from its content, and only when it is found, since
    /// another deployment may bring what is missing.
    Immutable,
    /// Keep it, and ask whether it is still right before each use: whatever the next deployment may change,
    /// which is every file whose name does not come from its content, and every redirect.
    Revalidate,
    /// As above, but only for the visitor who asked: what depends on the visitor's country, and what is behind a
    /// password.
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
        const fn text(text: &'static str) -> HeaderValue {
            HeaderValue::from_static(text)
        }
        match self {
            Self::Immutable => const { text("public, max-age=31536000, immutable") },
            Self::Revalidate => const { text("public, max-age=0, must-revalidate") },
            Self::Private => const { text("private, max-age=0, must-revalidate") },
            Self::Never => const { text("no-store") },
        }
    }
}

/// Has an answer kept by nobody but the visitor, whatever was said of it so far, by us or by the author's rules. What
/// nobody may keep stays so.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    let never = CachePolicy::Never.header();
    let mut said = headers.get_all(CACHE_CONTROL).iter();
    if !(said.next() == Some(&never) && said.next().is_none()) {
        headers.insert(CACHE_CONTROL, CachePolicy::Private.header());
    }
    forget_others(headers);
}

/// Has an answer kept by nobody at all, whatever was said of it so far.
pub(crate) fn keep_never(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, CachePolicy::Never.header());
    forget_others(headers);
}

/// Takes away what says the same to some. Networks in front of us believe it more than `Cache-Control` (RFC 9213, and
/// what came before it).
fn forget_others(headers: &mut HeaderMap) {
    headers.remove(EXPIRES);
    let is_targeted = |name: &str| {
        name.ends_with("cdn-cache-control") || ["surrogate-control", "x-accel-expires"].contains(&name)
    };
    let targeted: Vec<_> = headers.keys().filter(|name| is_targeted(name.as_str())).cloned().collect();
    for name in targeted {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of headers behind a password.
    fn kept(headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        keep_private(&mut map);
        let mut lines: Vec<_> =
            map.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines.join(" | ")
    }

    #[test]
    fn what_is_behind_a_password_is_kept_by_no_cache_that_others_use() {
        let private = "cache-control: private, max-age=0, must-revalidate";
        assert_eq!(
            kept(&[("cache-control", "public, max-age=31536000, immutable"), ("etag", "1")]),
            format!("{private} | etag: 1")
        );
        assert_eq!(kept(&[]), private);
        assert_eq!(kept(&[("cache-control", "no-store"), ("cache-control", "public")]), private);
        assert_eq!(kept(&[("cache-control", "no-store")]), "cache-control: no-store");
        let targeted = [
            ("cdn-cache-control", "max-age=60"),
            ("cloudflare-cdn-cache-control", "max-age=60"),
            ("surrogate-control", "max-age=60"),
            ("x-accel-expires", "60"),
            ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
        ];
        assert_eq!(kept(&targeted), private);
    }

    #[test]
    fn what_nobody_may_keep_says_so_to_everybody() {
        let said = [("cache-control", "public"), ("cdn-cache-control", "max-age=60"), ("etag", "1")];
        let mut headers: HeaderMap = said
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        headers.append(CACHE_CONTROL, HeaderValue::from_static("s-maxage=60"));
        keep_never(&mut headers);
        let left: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(left, [("cache-control", "no-store"), ("etag", "1")]);
    }
}
