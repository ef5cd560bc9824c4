//! The proxy: from a host name to the files of a deployment.
//!
//! It only reads, and needs nothing but the object store.

mod account;
mod body;
mod breaker;
mod cache_policy;
mod cached;
mod config;
mod decide;
mod fault;
mod gate;
mod grace;
mod handler;
mod header_rules;
mod hearing;
mod host;
mod index;
mod languages;
mod location;
mod origin;
mod pages;
mod plain;
mod range;
mod redirects;
mod representation;
mod resolve;
mod run;
mod serve;
mod site;
mod site_name;
mod sites;
mod target;
mod validators;
mod varies;
mod visit;
mod visitor;

pub use body::Body;
pub use config::Config;
pub use handler::Handler;
pub use host::{Domain, DomainError};
pub use run::run;
pub use serve::serve;
