//! The whole path on AWS, without an account: the services are processes that talk to a fake ECS which really
//! starts builders, to a real Redis, to an S3 wire server that enforces the policies of lent credentials, and
//! to moto for DynamoDB and KMS.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod burst;
mod deploy;
mod losses;
mod platform;
mod restart;
mod stopped;
