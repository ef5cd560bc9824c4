//! The proxy: from a host name to the files of a deployment.
//!
//! It only reads, and needs nothing but the object store.

// A connection's future holds one of the SDK for S3, which is nested more than a hundred deep.
#![recursion_limit = "256"]

mod access_log;
mod account;
mod admin;
mod body;
mod breaker;
mod cache_policy;
mod cached;
mod coding;
mod config;
mod connection;
mod decide;
mod dictionaries;
mod dictionary;
mod digest;
mod exchange;
mod explanation;
mod fault;
mod file;
mod forwarded;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod gate;
mod grace;
mod grants;
mod handler;
mod header_rules;
mod hearing;
mod host;
mod index;
mod languages;
mod location;
mod metrics;
mod multipart;
mod negotiate;
mod open_files;
mod origin;
mod pages;
mod plain;
mod range;
mod readiness;
mod redirects;
mod representation;
mod resolve;
mod run;
mod site;
mod site_name;
mod sites;
mod target;
mod tls;
mod validators;
mod varies;
mod visit;
mod visitor;

pub use access_log::AccessLog;
pub use body::Body;
pub use config::Config;
pub use connection::{Limits, Options, Server, serve};
pub use handler::Handler;
pub use host::{Domain, DomainError};
pub use readiness::Readiness;
pub use run::run;
pub use tls::{CertificateError, Certificates};
pub use visitor::{Networks, NetworksError, Trust};
