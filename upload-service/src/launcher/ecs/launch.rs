//! Starting one builder, however often it takes.
//!
//! ECS keeps to what it has answered to a client token, that there is no room as well. So an attempt has a row of
//! tokens, and the next one is taken only when nothing can be started with the last. Whoever launches the attempt
//! again walks the same row and meets the same answers, up to the task.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Ecs;
use super::answer::{Answer, Wait, sort, waited_out};
use super::client::{backoff, once};
use super::request::Request;
use super::task::TaskState;
use crate::launcher::{Build, LaunchError, Order};

/// The pause after a first failure, at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How long a request may still be carried out after whoever has sent it is gone.
const IN_FLIGHT: Duration = Duration::from_secs(10);

/// How far one walk along the tokens has come.
#[derive(Default)]
struct Walk {
    /// Which token it is at.
    turn: u32,
    tries: u32,
    /// Whether ECS has said that there is no room.
    refused: bool,
    give_up: Option<Instant>,
}

impl Ecs {
    /// Starts a builder, or finds the one that was started for the same attempt. The future may be dropped.
    pub(in crate::launcher) async fn launch(&self, order: &Order) -> Result<Build, LaunchError> {
        let parts = &*self.0;
        let request = Request::new(&parts.config, order)?;
        let mut walk = Walk::default();
        let mut settled = Instant::now() + IN_FLIGHT;
        loop {
            parts.pacer.turn().await;
            walk.tries += 1;
            let run_task = request.run_task(&parts.client, walk.turn).customize().config_override(once());
            let (wait, text) = match sort(run_task.send().await, &parts.config) {
                Answer::Started(task) => {
                    let state = TaskState::of(&task, &parts.config.container);
                    let task = task.task_arn.unwrap_or_default();
                    walk.tell(&request, &task, "a builder is launched");
                    // A repeated answer does not say why a task has stopped.
                    return Ok(self.watch(task, (!state.stopped).then_some(state)));
                }
                Answer::Existing(task) => return Ok(self.found(&walk, &request, task)),
                Answer::Never(error) => {
                    tracing::error!(deployment.id = request.deployment, launch.tries = walk.tries, %error, "a builder cannot be launched");
                    return Err(error);
                }
                Answer::NoRoom(text) => {
                    walk.turn += 1;
                    (Wait::Capacity, text)
                }
                // Until then the other request may still start its task.
                Answer::Taken if Instant::now() < settled => {
                    tokio::time::sleep_until(settled).await;
                    continue;
                }
                Answer::Taken => {
                    walk.turn += 1;
                    continue;
                }
                Answer::Later(Wait::Service, text) => {
                    settled = Instant::now() + IN_FLIGHT;
                    (Wait::Service, text)
                }
                Answer::Later(wait, text) => (wait, text),
            };
            if wait == Wait::Pace {
                parts.pacer.throttled();
            }
            // What counts is how long ECS says no, not how long others were before us.
            let limit = Duration::from_secs(parts.config.launch_seconds.into());
            let give_up = *walk.give_up.get_or_insert_with(|| Instant::now() + limit);
            let pause = backoff(walk.tries, FIRST_PAUSE, LONGEST_PAUSE);
            let last = Instant::now() + pause >= give_up;
            // A no that is remembered looks like a new one. Who may be late asks, rather than to walk all the way.
            let first_no = wait == Wait::Capacity && !std::mem::replace(&mut walk.refused, true);
            if (first_no || last)
                && let Some(task) = self.running_task(&request).await
            {
                return Ok(self.found(&walk, &request, task));
            }
            if last {
                let error = waited_out(wait, &text, &parts.config);
                tracing::error!(deployment.id = request.deployment, launch.tries = walk.tries, %error, "a launch is given up");
                return Err(error);
            }
            tracing::debug!(
                deployment.id = request.deployment,
                launch.tries = walk.tries,
                reason = text,
                "a launch waits"
            );
            tokio::time::sleep(pause).await;
        }
    }

    fn found(&self, walk: &Walk, request: &Request<'_>, task: String) -> Build {
        walk.tell(request, &task, "a builder was launched before");
        self.watch(task, None)
    }

    /// Watches on over a task that was started before.
    pub(in crate::launcher) fn watch_again(&self, task: &str) -> Build {
        self.watch(task.to_owned(), None)
    }

    fn watch(&self, task: String, state: Option<TaskState>) -> Build {
        let (stop, stopped) = watch::channel(None);
        let sightings = self.0.tracker.watch(&task, state);
        let ended = tokio::spawn(self.clone().attend(task.clone(), sightings, stopped));
        Build { task: Some(task), stop, ended }
    }
}

impl Walk {
    fn tell(&self, request: &Request<'_>, task: &str, what: &str) {
        tracing::info!(
            deployment.id = request.deployment,
            task.arn = task,
            launch.tries = self.tries,
            "{what}"
        );
    }
}
