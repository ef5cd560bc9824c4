//! Parts for tests: an S3 wire server and the AWS around it, a Redis server, a moto server, a git server, and
//! the binaries under test.

pub mod aws;
pub mod binary;
pub mod git;
pub mod iam;
pub mod moto;
pub mod redis;
pub mod s3;

mod connections;
#[cfg(test)]
mod sigv4;
