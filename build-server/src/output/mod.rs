//! What the build made: where it is and which files are published.

mod find;
mod secret;
mod walk;

pub(crate) use find::{Snapshot, find};
pub(crate) use secret::refuse_secrets;
pub(crate) use walk::{SiteFile, walk};
