//! One task, from its launch to its end.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Ecs;
use super::client::backoff;
use super::ending::{OURS, TOO_OLD, ending};
use super::tracker::Sighting;
use crate::aws::{one_line, said};
use crate::launcher::Ended;

/// How long after a word to stop that was heard it is said again.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// The pause after a first word to stop that was not heard, at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

impl Ecs {
    /// Waits until a task has ended, and stops it when it is to be stopped or has lived too long. Ends early, and
    /// leaves the task alone, when the sender of `stopped` is dropped.
    pub(super) async fn attend(
        self,
        task: String,
        mut sightings: watch::Receiver<Sighting>,
        mut stopped: watch::Receiver<Option<Duration>>,
    ) -> Ended {
        let longest = Duration::from_secs(self.0.config.task_seconds.get().into());
        let watched_since = Instant::now();
        let mut stopping: Option<&'static str> = None;
        let (mut say_at, mut unheard) = (Instant::now(), 0);
        loop {
            let too_old_at = match &*sightings.borrow_and_update() {
                Sighting::Seen(state) if state.stopped => {
                    let ended = ending(&state.end);
                    tracing::info!(
                        task.arn = task,
                        reason = ended.reason,
                        again = ended.again,
                        "a task has ended"
                    );
                    return ended;
                }
                Sighting::Gone => return Ended::because("its task is no longer known to ECS"),
                Sighting::Seen(state) => Instant::now() + longest.saturating_sub(age(state.created)),
                Sighting::Unknown => watched_since + longest,
            };
            tokio::select! {
                changed = sightings.changed() => if changed.is_err() {
                    return Ended::because("nobody watches its task any more");
                },
                changed = stopped.changed() => {
                    if changed.is_err() {
                        return Ended::because("nobody waits for its end");
                    }
                    stopping.get_or_insert("GitDeploy: the build is to end");
                }
                () = tokio::time::sleep_until(too_old_at), if stopping.is_none() => {
                    tracing::warn!(task.arn = task, task.seconds = longest.as_secs(), "a task runs for too long and is stopped");
                    stopping = Some(TOO_OLD);
                }
                () = tokio::time::sleep_until(say_at), if stopping.is_some() => {
                    let heard = self.say_stop(&task, stopping.unwrap_or(OURS)).await;
                    unheard = if heard { 0 } else { unheard + 1 };
                    let pause = if heard { SAY_AGAIN } else { backoff(unheard, FIRST_PAUSE, SAY_AGAIN) };
                    say_at = Instant::now() + pause;
                }
            }
        }
    }

    /// Stops a task, whoever watches it.
    pub(in crate::launcher) async fn stop_task(&self, task: &str, reason: &str) {
        self.say_stop(task, &format!("{OURS}{}", one_line(reason))).await;
    }

    /// Whether ECS has heard that a task is to stop. The time that its containers have for it is part of the task
    /// definition.
    async fn say_stop(&self, task: &str, why: &str) -> bool {
        let stop = self.0.client.stop_task().cluster(&self.0.config.cluster).task(task).reason(why);
        match stop.send().await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(task.arn = task, error = said(&error), "a task cannot be stopped yet");
                false
            }
        }
    }
}

fn age(created: Option<Timestamp>) -> Duration {
    created.map_or(Duration::ZERO, |created| {
        Timestamp::now().duration_since(created).try_into().unwrap_or_default()
    })
}
