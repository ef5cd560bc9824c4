//! The service as its clients see it, with stand-ins for builders.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod builds;
mod cancel;
mod claim;
mod create;
mod grants;
mod guard;
mod health;
mod lists;
mod login;
mod logs;
mod pages;
mod promote;
mod protection;
mod restart;
mod routes;
mod status;
mod store;
mod support;
mod upload;
