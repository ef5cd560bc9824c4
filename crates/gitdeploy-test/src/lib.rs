//! Real parts for tests: an S3 wire server, a Redis server, a git server, and the binaries under test.

pub mod binary;
pub mod git;
pub mod redis;
pub mod s3;
