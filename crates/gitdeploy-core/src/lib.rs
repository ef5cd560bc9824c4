//! The domain: ids, keys, manifests, events and states. No I/O and no async: what is in here can be
//! called from anywhere, and time and randomness are arguments.

pub mod build_status;
pub mod cache;
pub mod claim;
pub mod content_type;
pub mod event;
pub mod explanation;
pub mod failure;
pub mod grant;
pub mod hash;
pub mod ids;
pub mod keys;
pub mod manifest;
pub mod path;
pub mod phase;
pub mod protection;
pub mod route;
pub mod rules;
pub mod size;
pub mod spec;
pub mod state;

pub use build_status::BuildStatus;
pub use cache::{CacheLevel, CacheMode, CacheUse};
pub use event::{Body, End, Event, Stream};
pub use explanation::Explanation;
pub use failure::{Failure, FailureCode};
pub use grant::{Grant, GrantKey};
pub use ids::{Attempt, DeploymentId, IdError, OutputId, ProjectId};
pub use keys::{Key, KeyPrefix};
pub use manifest::Manifest;
pub use path::SitePath;
pub use phase::Phase;
pub use protection::{Password, Protection};
pub use route::Route;
pub use spec::BuildSpec;
pub use state::State;
