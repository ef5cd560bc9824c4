//! How we talk to DynamoDB: timeouts, retries, and who we are.

use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use secrecy::ExposeSecret as _;

use crate::catalog::CatalogConfig;
use crate::catalog::config::DynamoDbAccess;

const CONNECT: Duration = Duration::from_secs(3);

/// How long one attempt may take to be answered.
const ANSWER: Duration = Duration::from_secs(5);

pub(super) async fn open(config: &CatalogConfig) -> Client {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ANSWER).build(),
        );
    loader = match &config.access {
        None => loader.region(RegionProviderChain::default_provider().or_else(default_region())),
        Some(access) => {
            if let Some(endpoint) = &access.endpoint_url {
                loader = loader.endpoint_url(endpoint);
            }
            let region = access.region.clone().map_or_else(default_region, Region::new);
            loader.region(region).credentials_provider(credentials(access))
        }
    };
    Client::new(&loader.load().await)
}

fn default_region() -> Region {
    Region::from_static("us-east-1")
}

fn credentials(access: &DynamoDbAccess) -> Credentials {
    Credentials::new(
        &access.access_key_id,
        access.secret_access_key.expose_secret(),
        access.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
        None,
        "GitDeploy",
    )
}
