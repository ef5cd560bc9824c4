//! How an answer came about: for the access log, for metrics, and for the owner who asks.

use std::sync::Arc;
use std::time::Duration;

use gitdeploy_core::{OutputId, Route, SitePath};

use crate::coding::Coding;
use crate::site_name::SiteName;

/// How an answer came about, filled in on the way.
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
    /// What is noted for the owner alone, where the owner asks.
    pub(crate) details: Option<Box<Details>>,
}

/// What the owner is told beyond what is logged of every answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Details {
    /// How it was found out what the host leads to.
    pub(crate) trail: Option<Trail>,
    /// The route, if there is one.
    pub(crate) route: Option<Arc<Route>>,
    /// The rule that decided, as a line of `_redirects`.
    pub(crate) redirect: Option<String>,
    /// The earlier deployment that has the file.
    pub(crate) file_deployment: Option<OutputId>,
    /// What failed.
    pub(crate) fault: Option<String>,
}

/// How it was found out what a host leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trail {
    /// By what, if it leads anywhere.
    pub(crate) by: Option<FoundBy>,
    /// Where that was known from.
    pub(crate) source: Source,
    /// Where it was known from which files the deployment has, if that was another question.
    pub(crate) manifest: Option<Source>,
}

/// What says where a host leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundBy {
    /// Its label is the id of a deployment.
    Deployment,
    /// A route.
    Route,
    /// There is a manifest of its name.
    Manifest,
    /// There is nothing but a prefix of its name.
    Prefix,
    /// A build is noted for it that has published nothing.
    Build,
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
    /// The path cannot be looked up.
    Malformed,
    /// A build is on its way, or has failed.
    Unfinished,
    /// Nothing is served at the host.
    NoSite,
    /// What it takes to answer cannot be had.
    Fault,
}

impl Account {
    /// Notes what only the owner is told, if the owner asks.
    pub(crate) fn note(&mut self, note: impl FnOnce(&mut Details)) {
        if let Some(details) = &mut self.details {
            note(details);
        }
    }
}

impl FoundBy {
    /// The name for the owner.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Route => "route",
            Self::Manifest => "manifest",
            Self::Prefix => "prefix",
            Self::Build => "build",
        }
    }
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
            Self::Malformed => "malformed",
            Self::Unfinished => "unfinished",
            Self::NoSite => "no-site",
            Self::Fault => "fault",
        }
    }
}

/// Where a body came from, or what is known of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was in memory.
    Memory,
    /// It was in memory, and there may be a newer one. No body is: its content never changes.
    Stale,
    /// It was asked of the store.
    Store,
}

impl Source {
    /// The name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Stale => "stale",
            Self::Store => "store",
        }
    }
}
