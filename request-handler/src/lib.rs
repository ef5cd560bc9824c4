//! The proxy: from a host name to the files of a deployment.
//!
//! It only reads, and needs nothing but the object store.

mod account;
mod body;
mod breaker;
mod cache_policy;
mod cached;
mod coding;
mod config;
mod dictionaries;
mod dictionary;
mod digest;
mod fault;
mod file;
mod gate;
mod handler;
mod hearing;
mod host;
mod multipart;
mod negotiate;
mod origin;
mod pages;
mod plain;
mod range;
mod representation;
mod resolve;
mod run;
mod serve;
mod site;
mod sites;
mod target;
mod validators;

pub use body::Body;
pub use config::Config;
pub use handler::Handler;
pub use host::{Domain, DomainError};
pub use run::run;
pub use serve::serve;
