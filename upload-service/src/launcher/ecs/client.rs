//! How we talk to ECS and SQS: timeouts and retries.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;

const CONNECT: Duration = Duration::from_secs(5);

/// How long one attempt may take to be answered.
const ANSWER: Duration = Duration::from_secs(15);

/// How long SQS waits for a message before it answers that there is none; it allows no more.
pub(super) const LONG_POLL_SECONDS: i32 = 20;

/// How long SQS may take to answer, with its waiting.
const LONG_ANSWER: Duration = Duration::from_secs(40);

/// How long what has panicked rests before it starts again.
pub(super) const AFTER_A_PANIC: Duration = Duration::from_secs(1);

pub(super) fn ecs(shared: &SdkConfig) -> aws_sdk_ecs::Client {
    let config = aws_sdk_ecs::config::Builder::from(shared)
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts(ANSWER));
    aws_sdk_ecs::Client::from_conf(config.build())
}

/// The reader of events repeats what fails itself. An answer that does not come for a while is none that is stuck.
pub(super) fn sqs(shared: &SdkConfig) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(shared)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts(LONG_ANSWER));
    aws_sdk_sqs::Client::from_conf(config.build())
}

/// The retries of launches are ours, so that the pace of all of them is.
pub(super) fn once() -> aws_sdk_ecs::config::Builder {
    aws_sdk_ecs::Config::builder().retry_config(RetryConfig::disabled())
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build()
}

/// How long to wait after so many tries: up to twice as long each time, at random, so that those who failed
/// together do not come back together.
pub(super) fn backoff(tries: u32, first: Duration, longest: Duration) -> Duration {
    let limit = first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(longest);
    let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
    limit.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(20));
        for (tries, limit) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 20), (u32::MAX, 20)] {
            let pauses: Vec<_> = (0..200).map(|_| backoff(tries, first, longest)).collect();
            let limit = Duration::from_secs(limit);
            assert!(pauses.iter().all(|pause| *pause <= limit), "{tries}");
            assert!(pauses.iter().any(|pause| *pause > limit / 2), "{tries}");
            assert!(pauses.iter().any(|pause| *pause < limit / 2), "{tries}");
        }
    }
}
