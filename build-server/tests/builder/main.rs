//! The builder as its launcher sees it: a process, its variables, its standard output and its exit code, with
//! a real git server, a directory as store and bash instead of large toolchains.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bucket;
mod cache;
mod cancel;
mod claim;
mod clone;
mod ending;
mod harness;
mod hints;
mod hostile;
mod install;
mod log;
mod managers;
mod output;
mod private;
mod publish;
mod reuse;
mod rules;
mod settings;
mod source;
mod submodules;
mod told;
mod toolchains;
mod upload;
mod variants;
