//! Builders as tasks, against an ECS on loopback that really runs a program for each.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod ends;
mod events;
mod launch;
mod moto;
mod support;
mod sweep;
