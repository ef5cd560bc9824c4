//! Which store to use.

use std::path::PathBuf;

use serde::Deserialize;

/// The settings `GITDEPLOY_STORE_*`. A bucket selects S3, else a directory selects that, else objects are
/// kept in memory. S3 itself is configured by the variables of the AWS SDK.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StoreConfig {
    /// The bucket.
    pub bucket: Option<String>,
    /// What stands before every key in the bucket, such as `sites/`.
    pub prefix: String,
    /// Whether the bucket is named in the path rather than in the host: what most stores other than AWS want.
    pub path_style: bool,
    /// The directory.
    pub directory: Option<PathBuf>,
}
