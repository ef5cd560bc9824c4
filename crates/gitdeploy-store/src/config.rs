//! Which store to use.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::lent::LentKeys;

/// The settings `GITDEPLOY_STORE_*`. A bucket selects S3, else a directory selects that, else objects are
/// kept in memory.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StoreConfig {
    /// The bucket.
    pub bucket: Option<String>,
    /// What stands before every key in the bucket, such as `sites/`.
    pub prefix: String,
    /// Whether the bucket is named in the path rather than in the host: what most stores other than AWS want.
    pub path_style: bool,
    /// Whether only one upload service writes to the bucket, so that a store without conditional writes will
    /// do: conditions are then looked at before each write, by whoever writes.
    pub single_writer: bool,
    /// The directory.
    pub directory: Option<PathBuf>,
    /// How to reach S3. Absent, as it is when settings are read: the variables, files and roles that the AWS
    /// SDK knows.
    #[serde(skip)]
    pub access: Option<S3Access>,
    /// Who we are to S3, where that changes while the process lives: before what `access` or the environment
    /// say of it. Where S3 is they still say.
    #[serde(skip)]
    pub lent: Option<LentKeys>,
}

/// Where S3 is and who we are, when the process's own environment does not say it. The fields are those of
/// the AWS SDK's variables, so that `section("AWS_", vars)` reads them.
#[derive(Debug, Clone, Deserialize)]
pub struct S3Access {
    /// The server, such as `http://127.0.0.1:9000`; absent: AWS.
    #[serde(default)]
    pub endpoint_url_s3: Option<String>,
    /// The region; absent: `us-east-1`.
    #[serde(default)]
    pub region: Option<String>,
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
    /// The token of a session, for credentials that end.
    #[serde(default)]
    pub session_token: Option<SecretString>,
}
