//! How an answer came about: for the access log, for metrics, and for the owner who asks.

use std::time::Duration;

use gitdeploy_core::{OutputId, SitePath};

use crate::coding::Coding;
use crate::site_name::SiteName;

/// How an answer came about, filled in on the way. It travels with the answer, as an extension.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// What the host is looked up by.
    pub(crate) site: Option<SiteName>,
    /// What that leads to.
    pub(crate) deployment: Option<OutputId>,
    /// How it was found out.
    pub(crate) decision: Option<Decision>,
    /// The line of `_redirects` that decided.
    pub(crate) redirect_line: Option<u32>,
    /// The lines of `_headers` that applied.
    pub(crate) header_lines: Vec<u32>,
    /// The file that was sent, or would have been.
    pub(crate) file: Option<SitePath>,
    /// How the file was compressed.
    pub(crate) encoding: Option<Coding>,
    /// Where the body came from.
    pub(crate) source: Option<Source>,
    /// How long the store was waited for.
    pub(crate) store_time: Duration,
}

/// How it was found out what is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The path is a file's.
    File,
    /// The path is another one of a page's, and leads to its only one.
    Address,
    /// A rule sends the visitor elsewhere.
    Redirect,
    /// A rule shows another file.
    Rewrite,
    /// The file is one of a deployment that was in production before.
    Grace,
    /// Nothing is there, and the site's front page makes what it can of the path.
    FrontPage,
    /// Nothing is there, and the site has a page that says so.
    NotFoundPage,
    /// Nothing is there.
    Missing,
    /// The method is not one that reads.
    Method,
    /// The visitor has to give the site's password.
    Password,
    /// The site is being worked on.
    Maintenance,
}

impl Decision {
    /// The name in logs and for the owner.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Address => "address",
            Self::Redirect => "redirect",
            Self::Rewrite => "rewrite",
            Self::Grace => "grace",
            Self::FrontPage => "front-page",
            Self::NotFoundPage => "not-found-page",
            Self::Missing => "missing",
            Self::Method => "method",
            Self::Password => "password",
            Self::Maintenance => "maintenance",
        }
    }
}

/// Where a body came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was in memory.
    Memory,
    /// It was asked of the store.
    Store,
}

impl Source {
    /// The name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Store => "store",
        }
    }
}
