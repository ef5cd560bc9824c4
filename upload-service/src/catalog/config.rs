//! Which catalog to use.

use secrecy::SecretString;
use serde::Deserialize;

/// The settings `GITDEPLOY_CATALOG_*`. A table selects DynamoDB, which several replicas share; without one
/// the catalog is a file of SQLite in the data directory.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct CatalogConfig {
    /// The table in DynamoDB.
    pub table: Option<String>,
    /// How to reach DynamoDB. Absent, as it is when settings are read: the variables, files and roles that
    /// the AWS SDK knows.
    #[serde(skip)]
    pub access: Option<DynamoDbAccess>,
}

/// Where DynamoDB is and who we are, when the process's own environment does not say it. The fields are those
/// of the AWS SDK's variables, so that `section("AWS_", vars)` reads them.
#[derive(Debug, Clone, Deserialize)]
pub struct DynamoDbAccess {
    /// The server, such as `http://127.0.0.1:5000`; absent: AWS.
    #[serde(default)]
    pub endpoint_url: Option<String>,
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
