//! Waiting, at the start, for what a process cannot do without.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait between two tries, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// What a process needs was not there in time.
#[derive(Debug, thiserror::Error)]
#[error("{what} could not be reached within {} s: {reason}", .bound.as_secs())]
pub struct NotReady {
    what: String,
    bound: Duration,
    reason: String,
}

/// Tries until `attempt` succeeds or `bound` is over, and says each failure. `what` names the thing, such as
/// `the store (bucket sites)`.
pub async fn wait_for<T, E: Into<anyhow::Error>>(
    what: &str,
    bound: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, NotReady> {
    let deadline = Instant::now() + bound;
    let (mut pause, longest) = PAUSES;
    loop {
        let reason = match tokio::time::timeout_at(deadline, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => format!("{:#}", error.into()),
            Err(_) => "it did not answer".to_owned(),
        };
        if Instant::now() + pause >= deadline {
            return Err(NotReady { what: what.to_owned(), bound, reason });
        }
        tracing::warn!(reason, "{what} cannot be reached; trying again");
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> anyhow::Error {
        anyhow::anyhow!("connection refused").context("cannot connect")
    }

    #[tokio::test(start_paused = true)]
    async fn it_tries_again_until_it_succeeds() {
        let mut tries = 0;
        let result = wait_for("the store", Duration::from_secs(30), async || {
            tries += 1;
            if tries < 4 { Err(refused()) } else { Ok(tries) }
        });
        assert_eq!(result.await.unwrap(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_after_the_bound_and_says_why() {
        let begin = Instant::now();
        let error = wait_for("the bus", Duration::from_secs(30), async || Err::<(), _>(refused()));
        assert_eq!(
            error.await.unwrap_err().to_string(),
            "the bus could not be reached within 30 s: cannot connect: connection refused"
        );
        assert!(begin.elapsed() <= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_hangs_is_bounded() {
        let hangs = async || std::future::pending::<anyhow::Result<()>>().await;
        let error = wait_for("the store", Duration::from_secs(5), hangs).await.unwrap_err();
        assert!(error.to_string().ends_with("it did not answer"));
    }
}
