//! How we talk to S3: timeouts, retries, checksums, and who we are.

use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, IdentityCache, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use secrecy::ExposeSecret as _;

use super::lent::{Lent, NewerKeys};
use crate::config::{S3Access, StoreConfig};

const CONNECT: Duration = Duration::from_secs(5);

/// How long one attempt may take to be answered.
const ANSWER: Duration = Duration::from_secs(15);

/// How long a body may make no progress, in either direction.
pub(super) const STALL: Duration = Duration::from_secs(20);

/// The bytes a second that an upload must make on the whole; a slower one is taken for dead.
const SLOWEST_UPLOAD: u64 = 32 * 1024;

/// Bodies that we receive are watched by `read`, which does not mind a visitor who takes pauses.
pub(super) async fn open(config: &StoreConfig, haste: Haste) -> Client {
    let uploads = StalledStreamProtectionConfig::enabled().download_enabled(false).grace_period(STALL);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(haste.retries())
        .timeout_config(timeouts(ANSWER))
        .stalled_stream_protection(uploads.build());
    loader = match &config.access {
        None => loader.region(RegionProviderChain::default_provider().or_else(default_region())),
        Some(access) => {
            let region = access.region.clone().map_or_else(default_region, Region::new);
            if let Some(endpoint) = &access.endpoint_url_s3 {
                loader = loader.endpoint_url(endpoint);
            }
            loader.region(region).credentials_provider(credentials(access))
        }
    };
    if let Some(lent) = &config.lent {
        // Asking for them costs nothing, so that newer ones count from the next attempt on.
        loader = loader.credentials_provider(Lent(lent.clone())).identity_cache(IdentityCache::no_cache());
    }
    let shared = loader.load().await;
    // The SDK's default adds a checksum to every upload as a trailer of a chunked body, which many stores
    // other than AWS refuse or store as content. TLS protects the way, and S3 itself keeps a checksum.
    let mut s3 = Builder::from(&shared)
        .force_path_style(config.path_style)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if config.lent.is_some() {
        s3 = s3.retry_classifier(NewerKeys);
    }
    Client::from_conf(s3.build())
}

/// How soon a request that failed is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// After seconds: a store that is busy gets a rest.
    Patient,
    /// At once: somebody waits for the answer.
    Prompt,
}

impl Haste {
    fn retries(self) -> RetryConfig {
        let retries = RetryConfig::standard().with_max_attempts(3);
        match self {
            Self::Patient => retries,
            Self::Prompt => retries
                .with_initial_backoff(Duration::from_millis(50))
                .with_max_backoff(Duration::from_millis(200)),
        }
    }
}

/// What differs for a request that carries `bytes` bytes to the store.
pub(super) fn upload(bytes: u64, repeats: Repeats) -> Builder {
    with(ANSWER * 2 + Duration::from_secs(bytes / SLOWEST_UPLOAD), repeats)
}

/// What differs for a request that S3 may take minutes to answer.
pub(super) fn patient(repeats: Repeats) -> Builder {
    with(Duration::from_mins(5), repeats)
}

/// Who repeats a request that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// The SDK does.
    Sdk,
    /// A pace does, which hears of every failure.
    Pace,
}

fn with(attempt: Duration, repeats: Repeats) -> Builder {
    let builder = Builder::new().timeout_config(timeouts(attempt));
    match repeats {
        Repeats::Sdk => builder,
        Repeats::Pace => builder.retry_config(RetryConfig::disabled()),
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build()
}

fn default_region() -> Region {
    Region::from_static("us-east-1")
}

fn credentials(access: &S3Access) -> Credentials {
    Credentials::new(
        &access.access_key_id,
        access.secret_access_key.expose_secret(),
        access.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
        None,
        "GitDeploy",
    )
}
