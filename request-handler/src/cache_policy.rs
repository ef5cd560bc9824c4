//! How long others may keep an answer: the only place that writes `Cache-Control`.

use gitdeploy_core::manifest::Caching;
use http::HeaderValue;

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
