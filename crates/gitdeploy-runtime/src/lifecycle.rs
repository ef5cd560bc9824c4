//! How a process of several tasks runs and ends.
//!
//! A task that ends, fails or panics ends the process. The first signal drains, the second aborts.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The tasks of a process and the word to stop.
#[derive(Debug)]
pub struct Lifecycle {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    stopping: CancellationToken,
    grace: Duration,
    interrupt: Signal,
    terminate: Signal,
}

impl Lifecycle {
    /// A process without tasks, whose tasks get `grace` to end once they are told to stop. From here on
    /// signals are caught, so that one that comes before [`Lifecycle::run`] drains as well.
    pub fn new(grace: Duration) -> std::io::Result<Self> {
        Ok(Self {
            tasks: JoinSet::new(),
            stopping: CancellationToken::new(),
            grace,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The word to stop, for tasks to wait for. Canceling it stops the process.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Does something at the start, unless a signal comes first.
    pub async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            _ = self.interrupt.recv() => None,
            _ = self.terminate.recv() => None,
            done = work => Some(done),
        }
    }

    /// Runs a task for as long as the process runs.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (name, task.await) });
    }

    /// Waits for a signal or the end of a task, then stops all tasks and waits for them.
    pub async fn run(mut self) -> anyhow::Result<ExitCode> {
        let mut asked = false;
        let mut failure = None;
        tokio::select! {
            // Tasks that ended because they were told to have not ended by themselves.
            biased;
            _ = self.interrupt.recv() => asked = true,
            _ = self.terminate.recv() => asked = true,
            () = self.stopping.cancelled() => asked = true,
            Some(ended) = self.tasks.join_next() => failure = Some(early_end(ended)),
        }
        if asked {
            tracing::info!(grace_seconds = self.grace.as_secs(), "stopping");
        }
        self.stopping.cancel();
        let drained = async {
            while let Some(ended) = self.tasks.join_next().await {
                let error = match ended {
                    Ok((_, Ok(()))) => continue,
                    Ok((name, Err(error))) => error.context(format!("`{name}` failed while stopping")),
                    Err(error) => anyhow::Error::new(error).context("a task panicked while stopping"),
                };
                failure.get_or_insert(error);
            }
        };
        let in_time = tokio::select! {
            in_time = tokio::time::timeout(self.grace, drained) => in_time.is_ok(),
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => false,
        };
        if !in_time {
            tracing::warn!("stopped before everything was finished");
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(if in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        }
    }
}

fn early_end(ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow::anyhow!("`{name}` ended by itself"),
        Ok((name, Err(error))) => error.context(format!("`{name}` failed")),
        Err(error) => anyhow::Error::new(error).context("a task panicked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_task_that_fails_ends_the_process() {
        let mut lifecycle = Lifecycle::new(GRACE).unwrap();
        let stopping = lifecycle.stopping();
        lifecycle.spawn("waits", async move {
            stopping.cancelled().await;
            Ok(())
        });
        lifecycle.spawn("fails", async { anyhow::bail!("out of luck") });
        let error = lifecycle.run().await.unwrap_err();
        assert_eq!(format!("{error:#}"), "`fails` failed: out of luck");
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_process() {
        let mut lifecycle = Lifecycle::new(GRACE).unwrap();
        lifecycle.spawn("panics", async { panic!("on purpose") });
        assert!(lifecycle.run().await.is_err());
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_ends_the_process() {
        let mut lifecycle = Lifecycle::new(GRACE).unwrap();
        lifecycle.spawn("ends", async { Ok(()) });
        assert!(lifecycle.run().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_is_left_after_the_grace() {
        let mut lifecycle = Lifecycle::new(GRACE).unwrap();
        lifecycle.spawn("hangs", std::future::pending());
        lifecycle.stopping().cancel();
        assert!(lifecycle.run().await.is_ok());
    }

    #[tokio::test]
    async fn stopping_drains_the_tasks() {
        let mut lifecycle = Lifecycle::new(GRACE).unwrap();
        let stopping = lifecycle.stopping();
        let (send, receive) = tokio::sync::oneshot::channel();
        lifecycle.spawn("drains", async move {
            stopping.cancelled().await;
            tokio::task::yield_now().await;
            send.send("finished").map_err(anyhow::Error::msg)
        });
        lifecycle.stopping().cancel();
        lifecycle.run().await.unwrap();
        assert_eq!(receive.await, Ok("finished"));
    }
}
