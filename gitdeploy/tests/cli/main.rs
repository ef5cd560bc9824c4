//! The command line as a person uses it: the real program, its children, its data directory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod change;
mod deploy;
mod endings;
mod explain;
mod harness;
mod logs;
mod plan;
mod protect;
mod up;
mod usage;
