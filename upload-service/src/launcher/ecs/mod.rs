//! Builders as tasks of Amazon ECS.
//!
//! Tasks live on when this process ends. Whoever launches the same attempt of the same deployment again finds the
//! same task, for as long as ECS remembers its client tokens: an hour after the task has ended, a day at most.

mod answer;
mod client;
mod config;
mod ending;
mod events;
mod launch;
mod pacer;
mod poll;
mod request;
mod sweep;
mod task;
mod tracker;
mod watch;

use std::sync::Arc;

use aws_config::SdkConfig;
use tokio_util::task::AbortOnDropHandle;

pub use config::{Capacity, EcsConfig};

use pacer::Pacer;
use tracker::Tracker;

/// Clones are the same launcher.
#[derive(Debug, Clone)]
pub(super) struct Ecs(Arc<Parts>);

/// They live as long as anybody may launch or watches a task.
#[derive(Debug)]
struct Parts {
    config: Arc<EcsConfig>,
    client: aws_sdk_ecs::Client,
    pacer: Pacer,
    tracker: Arc<Tracker>,
    _sources: Vec<AbortOnDropHandle<()>>,
}

impl Ecs {
    pub(super) fn describe(&self) -> String {
        format!("tasks of the ECS cluster `{}`", self.0.config.cluster)
    }

    /// To be called within a runtime: what watches the tasks starts at once.
    pub(super) fn open(config: EcsConfig, shared: &SdkConfig) -> Self {
        let (config, client, tracker) = (Arc::new(config), client::ecs(shared), Arc::<Tracker>::default());
        let poller =
            poll::Poller { config: config.clone(), client: client.clone(), tracker: tracker.clone() };
        let mut sources = vec![for_ever("the poll of tasks", move || poller.clone().run())];
        if let Some(queue) = &config.events_queue_url {
            let reader = events::Reader {
                queue: queue.clone(),
                container: config.container.clone(),
                client: client::sqs(shared),
                tracker: tracker.clone(),
            };
            sources.push(for_ever("the reader of task events", move || reader.clone().run()));
        }
        let pacer = Pacer::new(config.launches_per_second);
        Self(Arc::new(Parts { config, client, pacer, tracker, _sources: sources }))
    }
}

/// Keeps something running. A panic in it is a bug, but without it no build would ever be seen to end.
fn for_ever<F>(what: &'static str, run: impl Fn() -> F + Send + 'static) -> AbortOnDropHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            if let Err(error) = AbortOnDropHandle::new(tokio::spawn(run())).await {
                tracing::error!(%error, "{what} failed and starts again");
            }
            tokio::time::sleep(client::AFTER_A_PANIC).await;
        }
    }))
}
