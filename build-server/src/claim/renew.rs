//! Keeps what is lent from ending while the build goes on.

use std::time::Duration;

use gitdeploy_core::claim::Credentials;
use gitdeploy_store::LentKeysSender;
use jiff::Timestamp;

use super::service::Service;

/// How long to wait before the next try, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Replaces credentials at half of their life, for as long as the service gives new ones. A build that is refused
/// goes on with the last ones until they end.
pub(super) async fn keep_fresh(service: Service, mut expires: Timestamp, newest: LentKeysSender) {
    loop {
        tokio::time::sleep(half_of(expires).max(PAUSES.0)).await;
        let mut pause = PAUSES.0;
        let renewed = loop {
            match service.ask::<Option<Credentials>>("credentials").await {
                Ok(answer) => break answer,
                Err(error) => {
                    let reason = format!("{error:#}");
                    tracing::warn!(reason, "the credentials of the store are not renewed; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = PAUSES.1.min(pause * 2);
        };
        let reason = match renewed {
            Ok(Some(credentials)) => {
                expires = credentials.expires;
                tracing::debug!(%expires, "the credentials of the store are renewed");
                newest.replace(super::keys(credentials));
                continue;
            }
            Ok(None) => "the upload service lends none any more".to_owned(),
            Err(refused) => refused.to_string(),
        };
        tracing::warn!(reason, %expires, "the credentials of the store are not renewed");
        return;
    }
}

/// Half of the time until then.
fn half_of(expires: Timestamp) -> Duration {
    Duration::try_from(expires.duration_since(Timestamp::now())).unwrap_or_default() / 2
}
