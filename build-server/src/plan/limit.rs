//! Planning within a time limit, however the tree is made.

use std::time::Duration;

use gitdeploy_core::{Failure, FailureCode};

use crate::stop::{Stop, disk};

/// How long a plan may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Runs `work` on a thread of its own and gives it up after `limit`.
pub(crate) async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    let planned = tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await.map_err(|_| {
        let cause = format!("the plan was not made within {} s", limit.as_secs());
        let fix = "name the project's directory with `--root`, and what to run with `--command`";
        Stop::timed_out(Failure::new(FailureCode::PlanTimeout, cause).fix(fix))
    })?;
    planned.map_err(|error| disk("cannot plan the build")(error.into()))?
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_plan_that_takes_too_long_is_given_up() {
        let (release, wait) = mpsc::channel::<()>();
        let stop = within(Duration::from_millis(1), move || {
            wait.recv().ok();
            Ok(())
        });
        assert_eq!(stop.await.unwrap_err().failure.code, FailureCode::PlanTimeout);
        drop(release);
        assert_eq!(within(LIMIT, || Ok(1)).await.unwrap(), 1);
    }
}
